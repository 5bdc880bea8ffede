"""A playbook of this checkout, run where no cluster is."""

from __future__ import annotations

import subprocess
import tempfile
import typing as t

from rendering import ROOT

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def run(playbook: str, *arguments: str, environment: t.Mapping[str, str] | None = None) -> tuple[int, str]:
    """The exit status of a playbook in check mode, and what it says as one line."""
    command = [
        str(ROOT / ".venv/bin/ansible-playbook"),
        str(ROOT / "playbooks" / f"{playbook}.yml"),
        "--check",
        *arguments,
    ]
    with tempfile.TemporaryDirectory() as home:
        given = {**ENVIRONMENT, "HOME": home, "ANSIBLE_HOME": home, **(environment or {})}
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=given)
    return result.returncode, " ".join((result.stdout + result.stderr).split())
