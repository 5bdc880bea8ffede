# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real processes under the engine of lab_processes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, process_cgroup, processes, procfs
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_definition import Definition
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import Record, Records
from ansible_collections.mlops.platform.plugins.modules import lab_processes

Module = Callable[..., dict[str, Any]]

IGNORES_TERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('deaf', flush=True)
time.sleep(1000)
"""
PARENT = """
import subprocess, time
subprocess.Popen(['/bin/sleep', '1000'])
print('parent', flush=True)
time.sleep(1000)
"""


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    kept = Records(tmp_path / "state")
    yield kept
    for record in kept.all():
        processes.stop([replace(record, stop_timeout=0)], kept)


@pytest.fixture
def define(tmp_path: Path) -> Callable[..., Definition]:
    def make(name: str, *argv: str, **values: Any) -> Definition:
        return Definition(name, argv or ("/bin/sleep", "1000"), log=str(tmp_path / f"{name}.log"), **values)

    return make


def converge(definitions: list[Definition], records: Records, restart: tuple[str, ...] = ()) -> dict[str, str]:
    with records.locked():
        steps = processes.plan(definitions, records, restart)
        processes.apply(steps, records)
    return {step.definition.name: step.action for step in steps}


def record_of(records: Records, name: str) -> Record:
    record = records.read(name)
    assert record is not None
    return record


def test_start_keep_change_restart(records: Records, define: Callable[..., Definition]) -> None:
    wanted = [define("a"), define("b")]
    assert converge(wanted, records) == {"a": "start", "b": "start"}
    pids = {name: record_of(records, name).pid for name in "ab"}
    assert converge(wanted, records) == {"a": "keep", "b": "keep"}
    assert {name: record_of(records, name).pid for name in "ab"} == pids

    changed = [wanted[0], replace(wanted[1], argv=("/bin/sleep", "1001"))]
    assert converge(changed, records) == {"a": "keep", "b": "restart"}
    assert not Path(f"/proc/{pids['b']}").exists() or procfs.read_stat(pids["b"]).state == "Z"  # type: ignore[union-attr]
    assert converge(changed, records, ("a",)) == {"a": "restart", "b": "keep"}


def test_an_ended_process_is_started_again(records: Records, define: Callable[..., Definition]) -> None:
    converge([define("a")], records)
    old = record_of(records, "a")
    procfs.send([old.identity], 9)
    procfs.wait_all([old.identity], 30)
    assert converge([define("a")], records) == {"a": "start"}
    assert record_of(records, "a").pid != old.pid


@pytest.mark.parametrize("stale", [{"start_time": 1}, {"boot_id": "another boot"}])
def test_a_bare_pid_is_not_trusted(records: Records, define: Callable[..., Definition], stale: dict[str, Any]) -> None:
    stranger = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
    converge([define("a")], records)
    mine = record_of(records, "a")
    records.write(replace(mine, pid=stranger.pid, **stale))
    assert converge([define("a")], records) == {"a": "start"}
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    procfs.send([mine.identity], 9)


def test_environment_folder_and_session_are_as_defined(
    records: Records, define: Callable[..., Definition], tmp_path: Path
) -> None:
    converge([define("a", cwd=str(tmp_path), env={"A": "b c"})], records)
    pid = record_of(records, "a").pid
    environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
    assert "A=b c" in environment
    assert not any(entry.startswith("HOME=") for entry in environment)
    assert Path(f"/proc/{pid}/cwd").resolve() == tmp_path
    assert os.getsid(pid) == pid
    log = str(tmp_path / "a.log")
    assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)] == [os.devnull, log, log]


def test_one_that_ends_at_once_shows_its_log(records: Records, define: Callable[..., Definition]) -> None:
    broken = define("a", "/bin/sh", "-c", "echo out of paper; exit 3", ready={"unix": "/nonexistent", "timeout": 60})
    with pytest.raises(LabError, match=r"(?s)a ended with status 3 .*out of paper"):
        converge([broken], records)


def test_one_that_is_never_ready_says_what_is_missing(records: Records, define: Callable[..., Definition]) -> None:
    slow = define("a", "/bin/sh", "-c", "echo still warming up; sleep 1000", ready={"unix": "/none", "timeout": 0.3})
    with pytest.raises(LabError, match=r"(?s)a is not ready after .*no answer on /none.*still warming up"):
        converge([slow], records)


def test_a_program_that_does_not_exist_stops_all_before_the_first_starts(
    records: Records, define: Callable[..., Definition]
) -> None:
    with pytest.raises(LabError, match="b: argv: /bin/nothing is not an executable file"):
        converge([define("a"), define("b", "/bin/nothing")], records)
    assert records.all() == []


@pytest.mark.parametrize("scheme", [None, "https"])
def test_an_address_that_another_program_serves(
    records: Records, define: Callable[..., Definition], scheme: str | None
) -> None:
    """Whoever listens there is in the way, even one that does not answer as the process would."""
    with socket.create_server(("0.0.0.0", 0)) as stranger:
        address = f"127.0.0.1:{stranger.getsockname()[1]}"
        ready = {"url": f"{scheme}://{address}/v2/"} if scheme else {"tcp": address}
        with pytest.raises(LabError, match=f"a cannot start: another program answers on .*{address}.* already"):
            converge([define("a", ready={**ready, "timeout": 60})], records)
    assert records.all() == []


def test_a_record_that_cannot_be_written_stops_the_start(records: Records, define: Callable[..., Definition]) -> None:
    """Without its record the process must not run."""
    steps = processes.plan([define("a")], records)
    with pytest.raises(LabError, match=r"(?s)a cannot be started.*a cannot be prepared: .*No such file"):
        processes.apply(steps, records)


def test_ready_by_socket_file(records: Records, define: Callable[..., Definition], tmp_path: Path) -> None:
    path = tmp_path / "s"
    code = f"import socket,time; s=socket.socket(socket.AF_UNIX); s.bind({str(path)!r}); s.listen(); time.sleep(1000)"
    converge([define("a", sys.executable, "-c", code, ready={"unix": str(path), "timeout": 60})], records)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_ready_by_command(records: Records, define: Callable[..., Definition], tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    argv = ("/bin/sh", "-c", f"touch {flag}; sleep 1000")
    converge([define("a", *argv, ready={"command": ["/usr/bin/test", "-e", str(flag)], "timeout": 60})], records)
    assert flag.exists()


def test_a_group_starts_together(records: Records, define: Callable[..., Definition], tmp_path: Path) -> None:
    """Each becomes ready only when the other runs."""
    wanted = [
        define(name, ready={"command": ["/usr/bin/test", "-e", str(records.path(other))], "timeout": 60}, group="g")
        for name, other in (("a", "b"), ("b", "a"))
    ]
    assert converge(wanted, records) == {"a": "start", "b": "start"}


def test_the_whole_session_ends(records: Records, define: Callable[..., Definition]) -> None:
    parent = define("a", sys.executable, "-c", PARENT)
    converge([replace(parent, ready={"command": ["/bin/grep", "-q", "parent", parent.log], "timeout": 60})], records)
    family = procfs.session_members(record_of(records, "a").pid)
    assert len(family) == 2
    processes.stop([record_of(records, "a")], records)
    assert not any(procfs.is_alive(member) for member in family)
    assert records.all() == []


def test_orphans_of_an_ended_process_end_too(records: Records, define: Callable[..., Definition]) -> None:
    parent = define("a", sys.executable, "-c", PARENT)
    converge([replace(parent, ready={"command": ["/bin/grep", "-q", "parent", parent.log], "timeout": 60})], records)
    leader = record_of(records, "a").identity
    (orphan,) = (member for member in procfs.session_members(leader.pid) if member != leader)
    procfs.send([leader], 9)
    procfs.wait_all([leader], 30)
    processes.stop([record_of(records, "a")], records)
    assert not procfs.is_alive(orphan)


def test_children_live_on_where_they_must(records: Records, define: Callable[..., Definition]) -> None:
    parent = define("a", sys.executable, "-c", PARENT, stop_scope="process")
    converge([replace(parent, ready={"command": ["/bin/grep", "-q", "parent", parent.log], "timeout": 60})], records)
    leader = record_of(records, "a").identity
    (child,) = (member for member in procfs.session_members(leader.pid) if member != leader)
    processes.stop([record_of(records, "a")], records)
    assert not procfs.is_alive(leader)
    assert procfs.is_alive(child)
    procfs.send([child], 9)


def test_one_that_ignores_the_signal_is_killed(records: Records, define: Callable[..., Definition]) -> None:
    deaf = define("a", sys.executable, "-c", IGNORES_TERM, stop_timeout=0.2)
    converge([replace(deaf, ready={"command": ["/bin/grep", "-q", "deaf", deaf.log], "timeout": 60})], records)
    record = record_of(records, "a")
    processes.stop([record], records)
    assert not procfs.is_alive(record.identity)


def test_how_to_stop_is_updated_without_a_restart(records: Records, define: Callable[..., Definition]) -> None:
    converge([define("a")], records)
    assert converge([define("a", stop_signal="INT", stop_timeout=1)], records) == {"a": "keep"}
    assert record_of(records, "a").stop_signal == "INT"


def test_a_long_log_is_moved_away(records: Records, define: Callable[..., Definition], tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("old")
    converge([define("a", log_max_bytes=2)], records)
    assert (tmp_path / "a.log.1").read_text() == "old"
    assert (tmp_path / "a.log").read_text() == ""


def test_a_damaged_record_is_named(records: Records) -> None:
    records.folder.mkdir()
    records.path("a").write_text("{}")
    with pytest.raises(LabError, match=r"a\.json is damaged"):
        records.read("a")
    records.forget("a")


@pytest.fixture
def netns() -> Iterator[str]:
    name = f"unit-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"network namespaces cannot be made here: {made.stderr.strip()}")
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def test_network_namespace(records: Records, define: Callable[..., Definition], netns: str) -> None:
    ready = {"url": "http://127.0.0.1:8000/", "timeout": 60}
    argv = (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "8000")
    web = define("web", *argv, netns=netns, ready=ready)
    here, sys_here = os.readlink("/proc/self/ns/net"), os.readlink("/proc/self/ns/mnt")
    converge([web], records)
    pid = record_of(records, "web").pid
    assert os.readlink("/proc/self/ns/net") == here
    assert os.readlink(f"/proc/{pid}/ns/net") != here
    assert os.readlink(f"/proc/{pid}/ns/mnt") == sys_here

    subprocess.run(["ip", "netns", "delete", netns], check=True)
    subprocess.run(["ip", "netns", "add", netns], check=True)
    subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], check=True)
    (step,) = processes.plan([web], records)
    assert (step.action, step.reasons) == ("restart", ("the network namespace was made anew",))


@pytest.fixture
def module(tmp_path: Path, records: Records) -> Module:
    """The module as Ansible runs it, in a process of its own."""

    def call(check: bool = False, **params: Any) -> dict[str, Any]:
        arguments = {"state_dir": str(records.folder), **params, "_ansible_check_mode": check}
        done = subprocess.run(
            [sys.executable, lab_processes.__file__],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        return json.loads(done.stdout or done.stderr)

    return call


def test_the_module_in_all_its_states(module: Module, records: Records, tmp_path: Path) -> None:
    """Create, change, delete; each in check mode, for real, again in check mode, again for real."""
    one = [{"name": "a", "argv": ["/bin/sleep", "1000"], "log": str(tmp_path / "a.log")}]
    two = [{**one[0], "argv": ["/bin/sleep", "1001"]}]
    for processes_, state, action in ((one, "present", "start"), (two, "present", "restart"), ([], "absent", "stop")):
        before = records.all()
        planned = module(check=True, processes=processes_, state=state)
        assert planned["changed"]
        assert records.all() == before
        done = module(processes=processes_, state=state)
        assert done["diff"] == planned["diff"]
        assert done["processes"]["a"]["action"] == action
        after = records.all()
        assert not module(check=True, processes=processes_, state=state)["changed"]
        assert not module(processes=processes_, state=state)["changed"]
        assert records.all() == after
    assert not records.folder.exists()


def test_a_killed_run_leaves_no_process_without_a_record(
    records: Records, define: Callable[..., Definition], tmp_path: Path
) -> None:
    """The starter dies while it waits; the next run finds what it started and waits on."""
    flag = tmp_path / "flag"
    wanted = {
        "name": "a",
        "argv": ["/bin/sleep", "1000"],
        "log": str(tmp_path / "a.log"),
        "ready": {"command": ["/usr/bin/test", "-e", str(flag)], "timeout": 60},
    }
    starter = subprocess.Popen(
        [sys.executable, lab_processes.__file__],
        stdin=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]},
    )
    assert starter.stdin is not None
    starter.stdin.write(
        json.dumps({"ANSIBLE_MODULE_ARGS": {"state_dir": str(records.folder), "processes": [wanted]}}).encode()
    )
    starter.stdin.close()
    while records.read("a") is None:
        assert starter.poll() is None
    starter.kill()
    starter.wait()
    flag.touch()
    again = define("a", ready=wanted["ready"])
    assert converge([again], records) == {"a": "keep"}


def test_the_module_names_the_wrong_field(module: Module, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    wrong = module(processes=[{"name": "a", "argv": ["sleep"], "log": log}], restart=["b"])
    assert wrong["failed"]
    assert wrong["msg"] == ("a: argv must begin with the program's absolute path; restart: there is no process b")


def test_all_in_its_cgroup_end_and_the_cgroup_goes(records: Records, define: Callable[..., Definition]) -> None:
    """What has left the session is found in the cgroup, also after its parent was killed."""
    cgroup = f"/unit-{os.getpid()}/a"
    folders = process_cgroup.folders(cgroup)
    if not folders or not all(os.access(folder.parents[1], os.W_OK) for folder in folders):
        pytest.skip("cgroups cannot be made here")
    argv = ("/bin/sh", "-c", "setsid sleep 1000 & echo parent; wait")
    parent = define("a", *argv, cgroup=cgroup)
    converge([replace(parent, ready={"command": ["/bin/grep", "-q", "parent", parent.log], "timeout": 60})], records)
    leader = record_of(records, "a").identity
    while len(family := process_cgroup.members(cgroup)) < 2:
        assert procfs.is_alive(leader)
    assert leader in family
    procfs.send([leader], 9)
    procfs.wait_all([leader], 30)
    processes.stop([record_of(records, "a")], records)
    assert not any(procfs.is_alive(member) for member in family)
    assert not any(folder.parent.exists() for folder in folders)


@pytest.mark.parametrize(
    ("mounts", "found"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0", ["/sys/fs/cgroup"]),
        (
            "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
            "cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0\n"
            "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
            ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"],
        ),
        ("proc /proc proc rw 0 0", []),
    ],
)
def test_the_hierarchies_that_name_processes(mounts: str, found: list[str]) -> None:
    assert process_cgroup.hierarchies(mounts) == [Path(path) for path in found]
