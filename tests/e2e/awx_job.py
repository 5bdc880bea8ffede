"""Runs a playbook as AWX does: ansible-runner, a read-only project, an inventory script, variables in the environment.

usage: awx_job.py PROJECT PRIVATE_DATA_DIR PLAYBOOK    in a mount namespace of its own, as root
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import ansible_runner


def main(project: str, private: str, playbook: str) -> int:
    """Mount the project, run the job and write what came of it to result.json."""
    inside = Path(private) / "project"
    inside.mkdir()
    subprocess.run(["mount", "--bind", project, str(inside)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(inside)], check=True)
    runner = ansible_runner.run(private_data_dir=private, playbook=playbook, quiet=True)
    assert runner.stdout is not None
    result = {"status": runner.status, "stats": runner.stats, "stdout": runner.stdout.read()}
    (Path(private) / "result.json").write_text(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
