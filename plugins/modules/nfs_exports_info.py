#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module nfs_exports_info."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nfs_exports_info
short_description: The NFS server of a machine and what it exports
version_added: 0.1.0
author: [The mlops.platform maintainers (@mlops-platform)]
description:
  - Tells which NFS servers a Linux machine could run and runs, and what M(mlops.platform.nfs_exports) made on it.
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Nothing changes.
    support: none
  idempotent:
    description: Reads only.
    support: full
options:
  name:
    description: Only what is exported under this name.
    type: str
  backend:
    description: The kind of server to ask. V(auto) takes the one that runs; without one the list is empty.
    type: str
    choices: [auto, kernel, ganesha]
    default: auto
  lock_timeout:
    description: Seconds to wait for a run of M(mlops.platform.nfs_exports) on the same server. V(0) waits for nobody.
    type: int
    default: 120
seealso:
  - module: mlops.platform.nfs_exports
"""

EXAMPLES = r"""
- name: See what the storage server exports for a cluster
  mlops.platform.nfs_exports_info:
    name: prod01
  register: storage
"""

RETURN = r"""
kernel_available:
  description: Whether the kernel has an NFS server, built in or as a module.
  type: bool
  returned: success
installed:
  description: The kinds of server whose programs are installed.
  type: list
  elements: str
  returned: success
  sample: [kernel]
running:
  description: The kinds of server that serve now.
  type: list
  elements: str
  returned: success
  sample: [kernel]
enabled:
  description: The kinds of server that start with the machine.
  type: list
  elements: str
  returned: success
  sample: [kernel]
rpcbind:
  description: Whether the service rpcbind, which only NFSv3 needs, is V(absent), V(masked) or V(present).
  type: str
  returned: success
  sample: masked
backend:
  description: The kind that was asked; empty when there is none.
  type: str
  returned: success
names:
  description:
    - What is exported under each name. Limit and use are bytes; a limit of 0 is none, and use is known only where there
      is a limit.
  type: list
  elements: dict
  returned: success
  sample:
    - name: prod01
      environment: prod
      identity: https://prod01.example.com:6443
      root: /bitnami
      folder: deploy-Mlops-prod01
      source: /etc/exports.d/prod01.exports
      exports:
        - path: /bitnami/deploy-Mlops-prod01/minio
          clients: [10.20.0.0/24]
          export_id: 0
          in_force: true
          limit: 107374182400
          used: 1048576
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._nfs import quota, server
from ..module_utils._nfs.apply import LOCK, locked
from ..module_utils._nfs.backend import Backend, BackendError
from ..module_utils._nfs.dropin import DropIn
from ..module_utils._nfs.mounts import filesystem
from ..module_utils._nfs.values import RefusedError


def describe(found: DropIn, live: set[str]) -> dict[str, t.Any]:
    """One name and its exports."""
    header = found.header
    if header is None:
        return {}
    return {
        "name": header.name,
        "environment": header.environment,
        "identity": header.identity,
        "root": header.root,
        "folder": header.folder,
        "source": found.source,
        "exports": [
            {
                "path": path,
                "clients": [entry.client for entry in found.entries if entry.path == path],
                "export_id": found.ids.get(path, 0),
                "in_force": path in live,
                **usage(path, header.projects.get(path, 0)),
            }
            for path in found.paths
        ],
    }


def usage(path: str, project: int) -> dict[str, int]:
    """Limit and use of an export; zeros where it has no quota."""
    place = filesystem(path)
    found = quota.usage(place.device, project) if project and place.quota else quota.Usage(0, 0)
    return found._asdict()


def names(backend: Backend, only: str | None) -> list[dict[str, t.Any]]:
    """Every name, or the one asked for."""
    live = backend.live()
    mine = [one for one in backend.read() if one.header and only in (None, one.header.name)]
    return [describe(one, live) for one in mine]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str"},
            "backend": {"type": "str", "choices": ["auto", *server.KINDS], "default": "auto"},
            "lock_timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    run = server.runner(module)
    try:
        facts = server.facts(run)
        chosen = module.params["backend"]
        kind = chosen if chosen != "auto" else next(iter(facts["running"]), "")
        # In the middle of a change, files and what is in force differ.
        with locked(LOCK, module.params["lock_timeout"], check=True):
            found = names(server.make(kind, run), module.params["name"]) if kind else []
    except (RefusedError, BackendError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"backend: {error.filename}: {error.strerror}; run with become")
    module.exit_json(changed=False, **facts, backend=kind, names=found)


if __name__ == "__main__":
    main()
