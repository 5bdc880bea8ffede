"""Keys and flags of Go programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, go_build
from ansible_collections.mlops.platform.plugins.module_utils._lab.go_build import Program

GO_MOD = "module x\n\ngo 1.26.0\n\nrequire (\n\tk8s.io/kubernetes v1.36.3\n)\n"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    (tmp_path / "go.mod").write_text(GO_MOD)
    (tmp_path / "main.go").write_text("package main\n")
    return Program("kube", str(tmp_path), ".", "")


def test_the_key_follows_everything_that_decides_the_result(program: Program) -> None:
    first = go_build.build_key(program, "go1.26.8", [])
    assert first == go_build.build_key(program, "go1.26.8", [])
    assert first != go_build.build_key(program, "go1.26.9", [])
    assert first != go_build.build_key(program, "go1.26.8", ["-X a=b"])
    assert first != go_build.build_key(program._replace(package="./cmd/x"), "go1.26.8", [])
    Path(program.source, "other.go").write_text("package main\n")
    assert first != go_build.build_key(program, "go1.26.8", [])


def test_tests_and_documents_do_not_decide_the_result(program: Program) -> None:
    first = go_build.build_key(program, "go1.26.8", [])
    Path(program.source, "main_test.go").write_text("package main\n")
    Path(program.source, "README.md").write_text("# x\n")
    assert first == go_build.build_key(program, "go1.26.8", [])


def test_a_kubernetes_module_gets_its_version_stamped_in(program: Program) -> None:
    flags = go_build.ldflags(program)
    assert "-X k8s.io/component-base/version.gitVersion=v1.36.3" in flags
    assert "gitMinor=36" in flags


def test_another_module_gets_no_stamp(program: Program) -> None:
    Path(program.source, "go.mod").write_text("module x\n\ngo 1.26.0\n")
    assert go_build.ldflags(program) == "-s -w"


def test_a_folder_without_go_mod_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"has no go\.mod"):
        go_build.go_mod(str(tmp_path))
