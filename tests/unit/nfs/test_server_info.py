# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role nfs_server sees in its one visit, and what it concludes."""

from __future__ import annotations

import hashlib
import json
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.mlops.platform.plugins.filter.nfs_server import nfs_server_differences
from ansible_collections.mlops.platform.plugins.module_utils._nfs import probe, server
from ansible_collections.mlops.platform.plugins.modules import nfs_server_info

ROOTS = {"/bitnami": "0711"}
CONFIGURATION = {"/etc/g.conf": "text"}
PLACE = {"uid": 0, "gid": 0, "mode": "0711", "directory": True, "sha256": ""}
FILE = {**PLACE, "mode": "0644", "directory": False, "sha256": hashlib.sha256(b"text").hexdigest()}
GOOD = {
    "installed": ["ganesha"],
    "running": ["ganesha"],
    "enabled": ["ganesha"],
    "rpcbind": "masked",
    "paths": {"/bitnami": PLACE, "/etc/g.conf": FILE},
    "answers": True,
}


def differences(rpcbind: bool = False, check: bool = True, **found: t.Any) -> list[str]:
    return nfs_server_differences({**GOOD, **found}, "ganesha", ROOTS, CONFIGURATION, rpcbind, check)


def test_nothing_is_to_be_done_when_all_is_so() -> None:
    assert differences() == []
    assert differences(answers=False, check=False) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"installed": ["kernel"]}, "ganesha is not installed"),
        ({"running": []}, "ganesha does not run"),
        ({"enabled": []}, "ganesha does not start with the machine"),
        ({"rpcbind": "present"}, "rpcbind"),
        ({"rpcbind": "absent"}, "rpcbind"),
        ({"answers": False}, "the check cannot be read through the server"),
        ({"paths": {"/etc/g.conf": FILE}}, "/bitnami"),
        ({"paths": {"/bitnami": {**PLACE, "mode": "0755"}, "/etc/g.conf": FILE}}, "/bitnami"),
        ({"paths": {"/bitnami": {**PLACE, "uid": 5}, "/etc/g.conf": FILE}}, "/bitnami"),
        ({"paths": {"/bitnami": {**PLACE, "directory": False}, "/etc/g.conf": FILE}}, "/bitnami"),
        ({"paths": {"/bitnami": PLACE, "/etc/g.conf": {**FILE, "sha256": "other"}}}, "/etc/g.conf"),
        ({"paths": {"/bitnami": PLACE, "/etc/g.conf": {**FILE, "gid": 7}}}, "/etc/g.conf"),
    ],
)
def test_each_difference_is_seen(found: dict[str, t.Any], said: str) -> None:
    assert differences(**found) == [said]


def test_packages_of_ones_own_are_always_looked_at() -> None:
    given = nfs_server_differences(GOOD, "ganesha", ROOTS, CONFIGURATION, False, True, packages=["vendor-ganesha"])
    assert given == ["packages"]


def test_nfs3_is_always_looked_at() -> None:
    assert nfs_server_differences({**GOOD, "rpcbind": "present"}, "ganesha", ROOTS, CONFIGURATION, True, True) == [
        "rpcbind"
    ]


def look(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **given: t.Any) -> dict[str, t.Any]:
    monkeypatch.setattr(server, "running", lambda run: ["ganesha"])
    with patch_module_args(given), pytest.raises(SystemExit):
        nfs_server_info.main()
    return t.cast("dict[str, t.Any]", json.loads(capsys.readouterr().out))


def test_what_lies_at_paths(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "file").chmod(0o640)
    names = [str(tmp_path), str(tmp_path / "file"), str(tmp_path / "none"), str(tmp_path / "file" / "below")]
    found = look(monkeypatch, capsys, paths=names)
    assert list(found["paths"]) == names[:2]
    assert found["paths"][names[0]]["directory"]
    assert found["paths"][names[1]]["sha256"] == FILE["sha256"]
    assert found["paths"][names[1]]["mode"] == "0640"
    assert found["answers"] is False


@pytest.mark.parametrize(("served", "answers"), [(b"It works.", True), (b"Another server.", False), (None, False)])
def test_the_server_answers_with_the_content(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], served: bytes | None, answers: bool
) -> None:
    def read(target: probe.Target, *_: t.Any) -> bytes:
        assert (target.host, target.port, target.path, target.file) == ("127.0.0.1", 2050, "/srv/x", "marker")
        if served is None:
            raise probe.UnreachableError("refused")
        return served

    monkeypatch.setattr(probe, "read", read)
    wanted = {"port": 2050, "path": "/srv/x", "file": "marker", "content": "It works."}
    assert look(monkeypatch, capsys, probe=wanted)["answers"] is answers
