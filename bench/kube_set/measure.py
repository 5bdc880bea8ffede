"""Running a command and measuring its time and the memory of its process tree."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
import typing as t
from pathlib import Path

SAMPLE = 0.1  # seconds between two looks at the memory


class Measurement(t.NamedTuple):
    """One run: seconds, and the peak of the proportional set size of all its processes in MiB."""

    seconds: float
    mebibytes: float


def children(pids: set[int]) -> set[int]:
    """The processes and all that they started."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = set(pids)
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def set_size(pid: int) -> int:
    """The proportional set size of a process in KiB."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def run(command: t.Sequence[str], environment: t.Mapping[str, str], folder: Path, memory: bool = False) -> Measurement:
    """Run a command to its good end. Looking at the memory costs time, so that a run measures one of both well."""
    peak = 0
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output: list[str] = []
    reader = threading.Thread(target=lambda: output.append(process.stdout.read() if process.stdout else ""))
    reader.start()
    while process.poll() is None:
        if memory:
            peak = max(peak, sum(map(set_size, children({process.pid}))))
            time.sleep(SAMPLE)
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
    seconds = time.perf_counter() - started
    reader.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}:\n{''.join(output)[-4000:]}")
    return Measurement(seconds, peak / 1024)
