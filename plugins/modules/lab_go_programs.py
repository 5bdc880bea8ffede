#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_go_programs
short_description: Build Go programs into a cache keyed by content
version_added: 0.1.0
description:
  - Builds static programs one after the other. The result lies at C(<cache>/bin/<name>/<key>/<name>), where the key is
    made of the sources, the command, the settings and the version of Go, so that a cached program is never stale. Of
    this machine's settings of Go only those take part that say where modules come from.
  - A module that requires C(k8s.io/kubernetes) gets that version stamped in.
author: [The mlops.platform maintainers (@mlops-platform)]
attributes:
  check_mode: {support: full, description: Nothing is built in check mode; the paths are known all the same.}
  diff_mode: {support: full, description: The programs that are built.}
options:
  programs:
    description: The programs.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name of the program., type: str, required: true}
      source: {description: Folder of its Go module., type: path, required: true}
      package: {description: The package to build., type: str, default: .}
      ldflags: {description: Further link flags., type: str, default: ''}
  cache_dir: {description: Folder of the cache., type: path, required: true}
  go: {description: The Go command., type: path, required: true}
  state_dir:
    description: Folder below which the instances' records of processes lie; what they name is kept in the cache.
    type: path
    default: /var/lib/mlops-lab
"""

EXAMPLES = r"""
- name: Build CoreDNS
  mlops.platform.lab_go_programs:
    go: /usr/bin/go
    cache_dir: /var/cache/mlops-lab
    programs:
      - {name: coredns, source: "{{ playbook_dir }}/../lab/go/coredns"}
"""

RETURN = r"""
paths:
  description: Path of each program.
  returned: always
  type: dict
built:
  description: Seconds that each built program took.
  returned: always
  type: dict
"""

import fcntl
import glob
import json
import os
import shutil
import subprocess
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils import _progress as progress
from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, files, go_build
from ansible_collections.mlops.platform.plugins.module_utils._lab.go_build import Program


def go_env(module: AnsibleModule, *names: str) -> dict[str, str]:
    """What Go takes from its variables, its files and its defaults."""
    _rc, out, _err = module.run_command([module.params["go"], "env", "-json", *names], check_rc=True)
    return t.cast("dict[str, str]", json.loads(out))


def environment_of(module: AnsibleModule) -> dict[str, str]:
    network = go_build.network_settings(go_env(module, *go_build.NETWORK))
    return go_build.environment(os.environ, network, module.params["cache_dir"])


def build(module: AnsibleModule, program: Program, path: str) -> float:
    """Build one program and put it in place at once. Returns the seconds; 0 when another build was faster."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path):
            return 0.0
        started = time.monotonic()
        progress.say(program.name)
        command = go_build.build_command(module.params["go"], program, f"{path}.new")
        variables = environment_of(module)
        done = subprocess.run(command, cwd=program.source, env=variables, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            tail = "\n".join(done.stderr.splitlines()[-25:])
            raise LabError(
                f"building {program.name} in {program.source} failed; where a module is missing, check the network, "
                f"the proxy and the Go module proxy (GOPROXY={variables.get('GOPROXY')}):\n{tail}"
            )
        os.replace(f"{path}.new", path)
        return round(time.monotonic() - started, 1)


def in_use(state_dir: str) -> set[str]:
    """Programs that processes of any instance were started from, also of one that does not run just now."""
    records = glob.glob(f"{state_dir}/*/*/processes/*.json")
    contents = (json.loads(files.read(path) or b"{}") for path in records)
    return {record["argv"][0] for record in contents if record.get("argv")}


def forget_older(path: str, used: t.Container[str], keep: int = 3) -> None:
    """Keep the last used results of a program, and all that instances run."""
    root, name = os.path.dirname(os.path.dirname(path)), os.path.basename(path)
    folders = sorted((entry for entry in os.scandir(root) if entry.is_dir()), key=lambda e: e.stat().st_mtime)
    for entry in folders[:-keep]:
        if f"{entry.path}/{name}" not in used:
            shutil.rmtree(entry.path)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    version = go_env(module, "GOVERSION")["GOVERSION"]
    paths, built = {}, {}
    for wanted in params["programs"]:
        program = Program(**{**wanted, "source": os.path.realpath(wanted["source"])})
        key = go_build.build_key(program, version)
        path = f"{params['cache_dir']}/bin/{program.name}/{key}/{program.name}"
        paths[program.name] = path
        if not os.path.exists(path):
            built[program.name] = 0.0 if module.check_mode else build(module, program, path)
        if not module.check_mode:
            # The time of the last use: the least used results go first.
            os.utime(os.path.dirname(path))
    if built and not module.check_mode:
        used = in_use(params["state_dir"])
        for path in paths.values():
            forget_older(path, used)
    diff = {"before": "", "after": "".join(f"{name}\n" for name in built)}
    return {"changed": bool(built), "paths": paths, "built": built, "diff": diff}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    program = {
        "name": {"type": "str", "required": True},
        "source": {"type": "path", "required": True},
        "package": {"type": "str", "default": "."},
        "ldflags": {"type": "str", "default": ""},
    }
    module = make(
        argument_spec={
            "programs": {"type": "list", "elements": "dict", "required": True, "options": program},
            "cache_dir": {"type": "path", "required": True},
            "go": {"type": "path", "required": True},
            "state_dir": {"type": "path", "default": "/var/lib/mlops-lab"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except LabError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
