"""Each kind that the platform applies goes through its life on a real server in tests/e2e/kube_set/test_kinds.py."""

from __future__ import annotations

import re
from pathlib import Path

from e2e.kube_set.kinds import SPECS

ROLES = Path(__file__).resolve().parents[3] / "roles"
KIND = re.compile(r"\bkind: *[\"']?(\w+)")
# By tasks, by manifests and by a test of its own.
MORE = {"Job", "StorageClass", "CustomResourceDefinition"}
TESTED = {*SPECS, "Namespace"}


def test_the_kinds_of_the_roles_are_tested() -> None:
    files = [path for path in ROLES.glob("*/templates/kube/**/*") if path.is_file()]
    kinds = {kind for path in files for kind in KIND.findall(path.read_text())}
    assert len(kinds) >= 15, "the templates are found"
    assert kinds | MORE <= TESTED
