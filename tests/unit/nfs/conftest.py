# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A root, a server of each kind, and the module that runs against both."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import quota, quotas
from ansible_collections.mlops.platform.plugins.module_utils._nfs.mounts import Filesystem

from .counting import Counting
from .runs import Runner
from .servers import GaneshaServer, KernelServer, Server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.fixture(params=[KernelServer, GaneshaServer])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Server:
    return t.cast("Server", request.param(tmp_path))


@pytest.fixture
def run(server: Server, root: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    if os.getuid():
        monkeypatch.setattr("os.fchown", lambda fd, uid, gid: None)
    return Runner(server, root)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Counting:
    made = Counting()
    monkeypatch.setattr(quota, "_attributes", made.attributes)
    monkeypatch.setattr(quota, "_set_attributes", made.set_attributes)
    monkeypatch.setattr(quota, "usage", made.usage)
    monkeypatch.setattr(quota, "set_limit", made.set_limit)
    monkeypatch.setattr(quotas, "filesystem", lambda path: Filesystem("/", "xfs", "/dev/x", True))
    return made
