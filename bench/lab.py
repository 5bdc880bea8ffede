#!/usr/bin/env python3
"""Measure the lab: start times, memory, and NFS against the node's own disk. usage: make bench-lab

Cold and warm starts run in an instance of their own (LAB_NAME=bench), so the running lab is not disturbed. A cold start
uses an empty cache folder (COLD=1; it takes some 20 minutes); without it the cache of the machine is used.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "collections"), str(ROOT / "tests")]

from e2e.cluster import Cluster, claim, in_namespace, pod  # noqa: E402
from e2e.conftest import PULL_SECRET, cluster_of, make_namespace, processes, read_lab  # noqa: E402
from e2e.volume import own_volume  # noqa: E402

Row = tuple[str, str]
NAMESPACE = "bench-lab"
COLD_ROW = ("make lab, empty cache", "not measured: COLD=1 make bench-lab")


def timed(command: list[str], **environment: str) -> float:
    """Seconds that a command takes; its output is shown when it fails."""
    started = time.monotonic()
    result = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{result.stdout[-4000:]}{result.stderr[-2000:]}")
    return time.monotonic() - started


def start_times(cold: bool) -> list[Row]:
    """Start an instance from a copy of this checkout: with an empty cache if wanted, warm, and again unchanged."""
    with tempfile.TemporaryDirectory() as folder:
        copy = f"{folder}/checkout"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), copy], check=True)
        (Path(copy) / ".venv").symlink_to((ROOT / ".venv").resolve())
        rows = starts(copy, ["make lab, empty cache"], LAB_CACHE=f"{folder}/cache") if cold else [COLD_ROW]
        return [*rows, *starts(copy, ["make lab, warm cache", "make lab, nothing changed"])]


def starts(copy: str, names: list[str], **environment: str) -> list[Row]:
    """Times of one start after the other, and of the removal, which comes also when a start fails."""
    make = ["make", "--no-print-directory", "-C", copy]
    environment = {"LAB_NAME": "bench", **environment}
    try:
        rows = [(name, f"{timed([*make, 'lab'], LAB_CLUSTERS='desa01', **environment):.1f} s") for name in names]
    finally:
        down = timed([*make, "down"], LAB_CLUSTERS="", **environment)
    return [*rows, ("make down", f"{down:.1f} s")]


def control_plane_memory(cluster: Cluster) -> Row:
    """Proportional set size of all processes of a cluster's node, pods aside."""
    total = 0
    for record in processes(cluster.facts).all():
        text = Path(f"/proc/{record.pid}/smaps_rollup").read_text(encoding="ascii")
        match = re.search(r"^Pss:\s+(\d+) kB", text, re.M)
        total += int(match[1]) if match else 0
    return "control plane and node, memory", f"{total / 1024:.0f} MiB"


def bench_pod(cluster: Cluster, name: str, image: str, disk: str, storage_class: str) -> None:
    """A pod with /data on NFS or on the node's own disk."""
    wanted = pod(name, image, ["sleep", "3600"], uid=999, pull_secret=PULL_SECRET)
    container = wanted["spec"]["containers"][0]
    container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}]
    volume = {"persistentVolumeClaim": {"claimName": "bench"}} if disk == "nfs" else {"emptyDir": {}}
    wanted["spec"]["volumes"] = [{"name": "data", **volume}, {"name": "tmp", "emptyDir": {}}]
    wanted["spec"]["securityContext"]["fsGroup"] = 999 if disk == "disk" else None
    objects = [wanted] + ([claim("bench", storage_class)] if disk == "nfs" else [])
    cluster.apply(*in_namespace(NAMESPACE, *objects))
    cluster.wait("condition=Ready", f"pod/{name}", NAMESPACE)


PGBENCH = """
set -e
export PATH="$PATH:$(ls -d /usr/lib/postgresql/*/bin)"
initdb -D /data/pg -U postgres -A trust >/dev/null
pg_ctl -D /data/pg -o "-c listen_addresses= -k /tmp" -w -l /tmp/pg.log start >/dev/null
pgbench -h /tmp -U postgres -i -s 10 -q postgres >/dev/null 2>&1
pgbench -h /tmp -U postgres -c 4 -j 2 -T 30 postgres 2>/dev/null | sed -n 's/^tps = \\([0-9.]*\\).*/\\1/p'
pg_ctl -D /data/pg -m fast -w stop >/dev/null
rm -rf /data/pg
"""
WRITE = "dd if=/dev/zero of=/data/big bs=1M count=1024 conv=fsync 2>&1 | tail -n 1"
READ = "dd if=/data/big of=/dev/null bs=1M iflag=direct 2>&1 | tail -n 1; rm /data/big"


def rate(line: str) -> float:
    """MiB/s of a last line of dd."""
    match = re.search(r"([\d.]+) s,", line)
    return 1024 / float(match[1]) if match else 0.0


def volume_rows(cluster: Cluster, image: str, storage_class: str) -> list[Row]:
    """PostgreSQL and a large file, on NFS and on the node's disk, in one run."""
    found: dict[str, list[float]] = {}
    for disk in ("disk", "nfs"):
        bench_pod(cluster, disk, image, disk, storage_class)
        answers = [cluster.execute(NAMESPACE, disk, "bash", "-c", s, timeout=600) for s in (PGBENCH, WRITE, READ)]
        found[disk] = [float(answers[0]), rate(answers[1]), rate(answers[2])]
        cluster.kubectl("delete", "pod", disk, f"--namespace={NAMESPACE}")
    names = ("pgbench, tps", "write 1 GiB, MiB/s", "read 1 GiB, MiB/s")
    triples = zip(names, found["nfs"], found["disk"], strict=True)
    return [(name, f"{nfs:8.0f} on NFS {own:8.0f} on disk, ratio {nfs / own:.2f}") for name, nfs, own in triples]


def main() -> int:
    """Print the table."""
    from ansible_collections.mlops.platform.plugins.module_utils._images import table

    lab = read_lab()
    facts = next(iter(lab["clusters"].values()))
    cluster = cluster_of(facts)
    make_namespace(cluster, NAMESPACE)
    try:
        with own_volume(cluster, lab, uid=999) as volume:
            rows = volume_rows(cluster, table.reference("postgresql", lab["registry"]), volume.storage_class)
            cluster.kubectl("delete", "pvc", "bench", f"--namespace={NAMESPACE}")
    finally:
        cluster.kubectl("delete", "namespace", NAMESPACE)
    rows = [control_plane_memory(cluster), *rows, *start_times(bool(os.environ.get("COLD")))]
    width = max(len(name) for name, _ in rows)
    print(*(f"{name:<{width}}  {figure}" for name, figure in rows), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
