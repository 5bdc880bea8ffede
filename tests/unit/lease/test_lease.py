"""The tests of the lease wrapper, which is written in Go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = os.environ.get("LAB_CACHE", "/var/cache/mlops-lab")


def test_the_lease_wrapper_passes_its_own_tests() -> None:
    go = subprocess.run(
        [str(ROOT / "lab" / "bin" / "go-toolchain"), CACHE, sys.executable], capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = {**os.environ, "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local", "GOCACHE": f"{CACHE}/go/build"}
    for command in ("vet", "test"):
        done = subprocess.run(
            [go, command, "./..."],
            cwd=ROOT / "images" / "lease",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
