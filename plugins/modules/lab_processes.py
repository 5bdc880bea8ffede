#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_processes
short_description: Run the lab's processes in the background
version_added: 0.1.0
description:
  - Makes sure that each process of a list runs with exactly the given command line and environment, in its network
    namespace, and is ready. For machines where no service manager can be relied on.
  - Each process leads a session of its own and has a record in O(state_dir) with its pid, its start time and digests
    of its definition. A pid alone is never trusted.
  - A process whose definition changed, one that has ended, and one whose network namespace was made anew is started
    again.
attributes:
  check_mode:
    description: Can run in check_mode and tells what would change.
    support: full
  diff_mode:
    description: Shows which processes start, restart and stop, and why.
    support: full
options:
  state_dir:
    description: Folder of the records of this list. Made when missing; removed with the last process.
    type: path
    required: true
  state:
    description:
      - V(present) starts what does not run, in the order of the list.
      - V(absent) ends what O(state_dir) records, last first, by O(processes[].stop_signal), and by KILL after
        O(processes[].stop_timeout). Only the names in O(processes) count then; without a list everything is ended.
    type: str
    choices: [present, absent]
    default: present
  restart:
    description: Names of processes to start again although nothing changed.
    type: list
    elements: str
    default: []
  processes:
    description: The processes in the order in which they start.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name, unique in O(state_dir).
        type: str
        required: true
      argv:
        description: The program's absolute path and its arguments. Other users can see it, so no secrets here.
        type: list
        elements: str
        default: []
      netns:
        description: Name of the network namespace, as C(ip netns) knows it. Mounts and cgroups stay the caller's.
        type: str
      env:
        description: The environment, on top of PATH and LANG. Nothing is inherited from the caller.
        type: dict
        default: {}
      cwd:
        description: Working folder.
        type: str
        default: /
      log:
        description: File that gets the output. Required to start.
        type: str
      log_max_bytes:
        description: A log longer than this is moved to C(<log>.1) when the process starts.
        type: int
        default: 10485760
      watch:
        description: Files of configuration. The process is started again when the content of one changed.
        type: list
        elements: str
        default: []
      group:
        description: Neighbours in the list with the same group start (and are awaited) together.
        type: str
      oom_score_adj:
        description: The kernel's out-of-memory score. Without CAP_SYS_RESOURCE the kernel ignores a lower one.
        type: int
      cgroup:
        description:
          - A cgroup of its own, such as C(/lab/web), in the unified and the name=systemd hierarchies; limits stay the
            caller's. All that is in it is ended with the process. It is removed then.
        type: str
      ready:
        description: When it counts as ready, asked in its network namespace. Without this, once it runs.
        type: dict
        suboptions:
          tcp:
            description: An address C(host:port) that accepts connections.
            type: str
          unix:
            description: A socket file that accepts connections.
            type: str
          url:
            description: An http or https URL that answers with one of the statuses.
            type: str
          status:
            description: The statuses that count as ready.
            type: list
            elements: int
            default: [200]
          ca:
            description: The authority that signed the server's certificate.
            type: str
          cert:
            description: Client certificate.
            type: str
          key:
            description: File with the key of O(processes[].ready.cert).
            type: str
          command:
            description: A command that ends with status 0.
            type: list
            elements: str
          timeout:
            description: Seconds to wait.
            type: float
            default: 60
      stop_signal:
        description: Signal that asks the process to end, such as C(TERM) or C(RTMIN+3).
        type: str
        default: TERM
      stop_timeout:
        description: Seconds after which it is killed.
        type: float
        default: 20
      stop_scope:
        description:
          - V(session) ends all that the process started, too.
          - V(process) ends it alone, for one whose children must live on (containerd).
        type: str
        choices: [session, process]
        default: session
author: [The mlops.platform maintainers (@mlops-platform)]
"""

EXAMPLES = r"""
- name: Run etcd and the API server
  mlops.platform.lab_processes:
    state_dir: /var/lib/mlops-lab/mlops/desa01/processes
    processes:
      - name: etcd
        argv: [/usr/local/bin/etcd, --data-dir=/var/lib/etcd]
        netns: desa01
        log: /var/log/etcd.log
        ready: {tcp: 127.0.0.1:2379}
      - name: kube-apiserver
        argv: [/usr/local/bin/kube-apiserver, --etcd-servers=http://127.0.0.1:2379]
        netns: desa01
        log: /var/log/kube-apiserver.log
        watch: [/etc/kubernetes/admission.yaml]
        ready: {url: "https://10.77.0.2:6443/readyz", ca: /etc/kubernetes/ca.crt, timeout: 120}

- name: Stop them all
  mlops.platform.lab_processes:
    state_dir: /var/lib/mlops-lab/mlops/desa01/processes
    state: absent
"""

RETURN = r"""
processes:
  description: Each process with its pid (0 when it does not run) and what was done.
  returned: success
  type: dict
  sample: {etcd: {pid: 4711, action: keep}}
"""

import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError
from ansible_collections.mlops.platform.plugins.module_utils._lab import processes as engine
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_definition import (
    Definition,
    problems,
)
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import Records

READY = {
    "tcp": {"type": "str"},
    "unix": {"type": "str"},
    "url": {"type": "str"},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "ca": {"type": "str"},
    "cert": {"type": "str"},
    "key": {"type": "str", "no_log": False},
    "command": {"type": "list", "elements": "str"},
    "timeout": {"type": "float", "default": 60},
}
PROCESS = {
    "name": {"type": "str", "required": True},
    "argv": {"type": "list", "elements": "str", "default": []},
    "netns": {"type": "str"},
    "env": {"type": "dict", "default": {}},
    "cwd": {"type": "str", "default": "/"},
    "log": {"type": "str"},
    "log_max_bytes": {"type": "int", "default": 10 * 1024 * 1024},
    "watch": {"type": "list", "elements": "str", "default": []},
    "group": {"type": "str"},
    "oom_score_adj": {"type": "int"},
    "cgroup": {"type": "str"},
    "ready": {
        "type": "dict",
        "options": READY,
        "required_one_of": [("tcp", "unix", "url", "command")],
        "mutually_exclusive": [("tcp", "unix", "url", "command")],
        "required_together": [("cert", "key")],
    },
    "stop_signal": {"type": "str", "default": "TERM"},
    "stop_timeout": {"type": "float", "default": 20},
    "stop_scope": {"type": "str", "choices": ["session", "process"], "default": "session"},
}


def to_definition(values: dict[str, t.Any]) -> Definition:
    """Turn one entry of the list into a definition."""
    env = {str(key): str(value) for key, value in values["env"].items()}
    return Definition(**{**values, "env": env, "argv": tuple(values["argv"]), "watch": tuple(values["watch"])})


def present(definitions: list[Definition], records: Records, restart: list[str], check_mode: bool) -> dict[str, t.Any]:
    """Start what has to be started; return the module's result."""
    wrong = problems(definitions)
    wrong += [f"restart: there is no process {name}" for name in restart if name not in {d.name for d in definitions}]
    if wrong:
        raise LabError("; ".join(wrong))
    steps = engine.plan(definitions, records, restart)
    if not check_mode:
        engine.apply(steps, records)
    done = [step for step in steps if step.action != "keep"]
    before = {step.definition.name: {"argv": step.record.argv} if step.record else None for step in done}
    after = {step.definition.name: {"argv": list(step.definition.argv), "because": list(step.reasons)} for step in done}
    pids = {record.name: record.pid for record in records.all() if record.running()}
    result = {step.definition.name: {"pid": pids.get(step.definition.name, 0), "action": step.action} for step in steps}
    return {"changed": bool(done), "processes": result, "diff": {"before": before, "after": after}}


def absent(names: list[str], records: Records, check_mode: bool) -> dict[str, t.Any]:
    """End what is recorded, one after the other; return the module's result."""
    stopped = engine.to_stop(records, names)
    if not check_mode:
        for record in stopped:
            engine.stop([record], records)
        records.remove_folder()
    before = {record.name: {"argv": record.argv} for record in stopped}
    result = {record.name: {"pid": 0, "action": "stop"} for record in stopped}
    return {"changed": bool(stopped), "processes": result, "diff": {"before": before, "after": {}}}


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Do what the parameters say."""
    records = Records(Path(params["state_dir"]))
    definitions = [to_definition(values) for values in params["processes"]]

    def work() -> dict[str, t.Any]:
        if params["state"] == "absent":
            return absent([definition.name for definition in definitions], records, check_mode)
        return present(definitions, records, params["restart"], check_mode)

    if check_mode or (params["state"] == "absent" and not records.folder.exists()):
        return work()
    with records.locked():
        return work()


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    module = make(
        argument_spec={
            "state_dir": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "restart": {"type": "list", "elements": "str", "default": []},
            "processes": {"type": "list", "elements": "dict", "default": [], "options": PROCESS},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except LabError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
