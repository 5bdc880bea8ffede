# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a diff shows, word for word: the file, then folders and limits as far as they change."""

from __future__ import annotations

from pathlib import Path

from .counting import Counting
from .runs import GID, UID, Result, Runner, export
from .servers import KernelServer, Server

OWNER = f"{UID}:{GID}"


def parts(result: Result, side: str, file: str) -> list[str]:
    """The lines of one side after those of the file, which must be there first."""
    text = result["diff"][side]
    assert text.startswith(file)
    return str(text[len(file) :]).splitlines()


def test_create(run: Runner, server: Server) -> None:
    made = run(export(directories=[{"path": "sub", "owner": None, "group": None, "mode": "0750"}]), check=True)
    run(export(directories=[{"path": "sub", "owner": None, "group": None, "mode": "0750"}]))
    assert made["diff"]["before"] == ""
    assert parts(made, "after", server.file("prod01").read_text()) == [
        "c 0:0 0755",
        f"c/minio {OWNER} 0700",
        f"c/minio/sub {OWNER} 0750",
    ]


def test_a_changed_mode(run: Runner, server: Server) -> None:
    run(export(mode="0700"))
    file = server.file("prod01").read_text()
    changed = run(export(mode="0750"))
    assert changed["changes"] == [f"change folder c/minio {OWNER} 0700 to c/minio {OWNER} 0750"]
    assert parts(changed, "before", file) == [f"c/minio {OWNER} 0700"]
    assert parts(changed, "after", file) == [f"c/minio {OWNER} 0750"]


def test_a_changed_limit(disk: Counting, run: Runner, server: Server, root: Path) -> None:
    assert disk
    run(export(quota="1Gi"))
    file = server.file("prod01").read_text()
    changed = run(export(quota="2Gi"))
    assert parts(changed, "before", file) == [f"{root}/c/minio: limit 1Gi"]
    assert parts(changed, "after", file) == [f"{root}/c/minio: limit 2Gi"]
    lifted = run(export())
    assert parts(lifted, "before", file) == [f"{root}/c/minio: limit 2Gi"]
    assert parts(lifted, "after", server.file("prod01").read_text()) == [f"{root}/c/minio: limit none"]


def test_purge(run: Runner, server: Server, root: Path) -> None:
    run(export(), export("c/redis"))
    file = server.file("prod01").read_text()
    purged = run(export("c/redis"), purge_data=True, confirm="prod01")
    assert parts(purged, "before", file) == [f"{root}/c/minio: data"]
    left = server.file("prod01").read_text()
    assert purged["diff"]["after"] == left
    last = run(state="absent", purge_data=True, confirm="prod01")
    assert parts(last, "before", left) == [f"{root}/c/redis: data"]
    assert last["diff"]["after"] == ""


def test_drift(root: Path, tmp_path: Path) -> None:
    server = KernelServer(tmp_path)
    run = Runner(server, root)
    run(export())
    file = server.file("prod01").read_text()
    server.table = ""
    drifted = run(export())
    assert drifted["changes"] == [f"re-export {root}/c/minio ({root}/c/minio is not exported to 10.0.0.0/24)"]
    assert parts(drifted, "before", file) == [f"{root}/c/minio: not in force"]
    assert drifted["diff"]["after"] == file
