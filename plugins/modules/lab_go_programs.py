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
    made of the sources, the flags and the version of Go, so that a cached program is never stale.
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
kubernetes_version:
  description: The version of Kubernetes that one of the programs holds.
  returned: when there is one
  type: str
"""

import fcntl
import os
import shutil
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, go_build
from ansible_collections.mlops.platform.plugins.module_utils._lab.go_build import Program


def environment(cache_dir: str) -> dict[str, str]:
    """Go's own caches lie beside ours; the toolchain never downloads another."""
    return {
        "CGO_ENABLED": "0",
        "GOCACHE": f"{cache_dir}/go/build",
        "GOMODCACHE": f"{cache_dir}/go/mod",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-buildvcs=false",
        "GOWORK": "off",
        "HOME": os.environ.get("HOME", "/root"),
    }


def go_version(module: AnsibleModule, go: str) -> str:
    _rc, out, _err = module.run_command([go, "env", "GOVERSION"], check_rc=True)
    return str(out).strip()


def build(module: AnsibleModule, program: Program, path: str) -> float:
    """Build one program and put it in place at once. Returns the seconds; 0 when another build was faster."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(path):
            return 0.0
        started = time.monotonic()
        command = go_build.build_command(module.params["go"], program, f"{path}.new")
        module.run_command_environ_update.update(environment(module.params["cache_dir"]))
        rc, _out, err = module.run_command(command, cwd=program.source)
        if rc != 0:
            tail = "\n".join(str(err).splitlines()[-25:])
            raise LabError(
                f"building {program.name} in {program.source} failed (is the Go module proxy reachable?):\n{tail}"
            )
        os.replace(f"{path}.new", path)
        return round(time.monotonic() - started, 1)


def forget_older(path: str, keep: int = 3) -> None:
    """Keep the newest results of a program; one in use is held open by its process or copied elsewhere."""
    root = os.path.dirname(os.path.dirname(path))
    folders = sorted((entry for entry in os.scandir(root) if entry.is_dir()), key=lambda e: e.stat().st_mtime)
    for entry in folders[:-keep]:
        shutil.rmtree(entry.path)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    version = go_version(module, params["go"])
    paths, built = {}, {}
    kubernetes = None
    for wanted in params["programs"]:
        program = Program(**{**wanted, "source": os.path.realpath(wanted["source"])})
        kubernetes = go_build.kubernetes_version(go_build.go_mod(program.source)) or kubernetes
        key = go_build.build_key(program, version, [go_build.ldflags(program)])
        path = f"{params['cache_dir']}/bin/{program.name}/{key}/{program.name}"
        paths[program.name] = path
        if not os.path.exists(path):
            built[program.name] = 0.0 if module.check_mode else build(module, program, path)
            if not module.check_mode:
                forget_older(path)
    diff = {"before": "", "after": "".join(f"{name}\n" for name in built)}
    return {"changed": bool(built), "paths": paths, "built": built, "kubernetes_version": kubernetes, "diff": diff}


def main() -> None:
    program = {
        "name": {"type": "str", "required": True},
        "source": {"type": "path", "required": True},
        "package": {"type": "str", "default": "."},
        "ldflags": {"type": "str", "default": ""},
    }
    module = AnsibleModule(
        argument_spec={
            "programs": {"type": "list", "elements": "dict", "required": True, "options": program},
            "cache_dir": {"type": "path", "required": True},
            "go": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except LabError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
