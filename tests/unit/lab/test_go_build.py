"""Keys and flags of Go programs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, go_build
from ansible_collections.mlops.platform.plugins.module_utils._lab.go_build import Program
from ansible_collections.mlops.platform.plugins.modules import lab_go_programs

GO_MOD = "module x\n\ngo 1.26.0\n\nrequire (\n\tk8s.io/kubernetes v1.36.3\n)\n"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    (tmp_path / "go.mod").write_text(GO_MOD)
    (tmp_path / "main.go").write_text("package main\n")
    return Program("kube", str(tmp_path), ".", "")


def test_the_key_follows_everything_that_decides_the_result(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    first = go_build.build_key(program, "go1.26.8")
    assert first == go_build.build_key(program, "go1.26.8")
    assert first != go_build.build_key(program, "go1.26.9")
    assert first != go_build.build_key(program._replace(ldflags="-X a=b"), "go1.26.8")
    assert first != go_build.build_key(program._replace(package="./cmd/x"), "go1.26.8")
    with monkeypatch.context() as other:
        other.setitem(go_build.SETTINGS, "GOEXPERIMENT", "x")
        assert first != go_build.build_key(program, "go1.26.8")
    with monkeypatch.context() as other:
        other.setattr(go_build, "build_command", lambda *_: ["go", "build"])
        assert first != go_build.build_key(program, "go1.26.8")
    Path(program.source, "other.go").write_text("package main\n")
    assert first != go_build.build_key(program, "go1.26.8")


def test_of_the_machines_go_settings_only_the_way_to_modules_counts() -> None:
    inherited = {"PATH": "/bin", "https_proxy": "p", "GOFLAGS": "-race", "GOAMD64": "v4", "CGO_ENABLED": "1"}
    network = go_build.network_settings({"GOPROXY": "https://proxy", "GOSUMDB": "", "GOEXPERIMENT": "x"})
    assert go_build.environment(inherited, network, "/cache") == {
        "HOME": "/root",
        "PATH": "/bin",
        "https_proxy": "p",
        "GOPROXY": "https://proxy",
        "GOCACHE": "/cache/go/build",
        "GOMODCACHE": "/cache/go/mod",
        **go_build.SETTINGS,
    }


def test_tests_and_documents_do_not_decide_the_result(program: Program) -> None:
    first = go_build.build_key(program, "go1.26.8")
    Path(program.source, "main_test.go").write_text("package main\n")
    Path(program.source, "README.md").write_text("# x\n")
    assert first == go_build.build_key(program, "go1.26.8")


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


def test_the_last_used_results_and_those_of_an_instance_are_kept(tmp_path: Path) -> None:
    for age, key in enumerate(("older", "run", "old", "new", "newest")):
        program = tmp_path / "bin/kube" / key / "kube"
        program.parent.mkdir(parents=True)
        program.touch()
        os.utime(program.parent, (age, age))
    record = tmp_path / "state/ci/desa01/processes/etcd.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"argv": [str(tmp_path / "bin/kube/run/kube"), "etcd"]}))
    lab_go_programs.forget_older(
        str(tmp_path / "bin/kube/newest/kube"), lab_go_programs.in_use(str(tmp_path / "state"))
    )
    assert {path.name for path in (tmp_path / "bin/kube").iterdir()} == {"run", "old", "new", "newest"}
