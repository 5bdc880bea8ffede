"""Runs of this checkout's playbooks, and what they say at their end."""

from __future__ import annotations

import re
import subprocess
import typing as t

from e2e.cluster import ROOT


def play(inventories: t.Sequence[str], playbook: str, *options: str, check: bool = False) -> str:
    """What a playbook says; with ``check`` it must not fail."""
    sources = [part for inventory in inventories for part in ("-i", inventory)]
    command = [str(ROOT / ".venv/bin/ansible-playbook"), *sources, playbook, *options]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not check or result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
    return result.stdout


def recap(said: str, host: str) -> dict[str, int]:
    """The numbers of a host at the end of a run."""
    (line,) = re.findall(rf"^{host} +: (.*)$", said, flags=re.MULTILINE)
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)}


def failures(said: str) -> str:
    """The report of the callback failure_report; empty when nothing failed."""
    return said.partition("FAILURES ")[2]
