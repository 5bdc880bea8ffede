#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_nfs_pods
short_description: Delete pods whose NFS mounts ended with the lab's NFS client
version_added: 0.1.0
description:
  - The mounts of the FUSE client end with its daemon, and a container never gets a new one. Pods that the kubelet took
    up before the daemon was started are deleted, so that their controllers make new ones.
  - Nothing is done where the kernel has an NFS client, because the mounts are the kernel's then.
author: [The mlops.platform maintainers (@mlops-platform)]
attributes:
  check_mode: {support: full, description: Nothing is deleted in check mode.}
  diff_mode: {support: full, description: The pods that are deleted.}
options:
  kubeconfig: {description: Kubeconfig of the cluster., type: path, required: true}
  kube: {description: The program that is kubectl when its first argument is C(kubectl)., type: path, required: true}
  records: {description: Folder with the records of the node's processes., type: path, required: true}
  driver: {description: Name of the CSI driver., type: str, default: nfs.csi.k8s.io}
  timeout: {description: Seconds to wait until the pods are gone., type: int, default: 180}
"""

EXAMPLES = r"""
- name: Renew pods whose NFS mounts have ended
  mlops.platform.lab_nfs_pods:
    kubeconfig: .lab/desa01.kubeconfig
    kube: "{{ lab_binaries_paths.kube }}"
    records: /var/lib/mlops-lab/mlops/desa01/processes
"""

RETURN = r"""
pods:
  description: Namespace and name of the deleted pods. One that had no controller does not come back.
  returned: always
  type: list
  elements: str
"""

import json
import os
import time
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, nfs_pods
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import Records

DAEMON = "nfsfused"
GRACE_SECONDS = 10


def kubectl(module: AnsibleModule, *arguments: str) -> str:
    command = [module.params["kube"], "kubectl", "--kubeconfig", module.params["kubeconfig"], *arguments]
    rc, out, err = module.run_command(command)
    if rc != 0:
        raise LabError(f"kubectl {' '.join(arguments)} failed: {str(err).strip()}")
    return str(out)


def daemon_started(records: Path) -> float | None:
    """When the daemon was started, in seconds since the epoch; None where it does not run."""
    record = Records(records).read(DAEMON)
    if record is None or not record.running():
        return None
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return time.time() - uptime + record.start_time / os.sysconf("SC_CLK_TCK")


def kernel_mounts() -> bool:
    return "nfs4" in Path("/proc/filesystems").read_text(encoding="ascii").split()


def find(module: AnsibleModule) -> list[nfs_pods.Name]:
    since = daemon_started(Path(module.params["records"]))
    if since is None or kernel_mounts():
        return []
    found = json.loads(kubectl(module, "get", "pods,persistentvolumes", "--all-namespaces", "--output=json"))["items"]
    pods, volumes = ([item for item in found if item["kind"] == kind] for kind in ("Pod", "PersistentVolume"))
    return nfs_pods.stale(pods, volumes, module.params["driver"], since)


def delete(module: AnsibleModule, pods: t.Sequence[nfs_pods.Name]) -> None:
    # It knows the pods by their uids: one of the same name that took a place already is not waited for.
    options = ["--ignore-not-found", f"--grace-period={GRACE_SECONDS}", f"--timeout={module.params['timeout']}s"]
    for namespace in sorted({namespace for namespace, _ in pods}):
        names = [name for where, name in pods if where == namespace]
        kubectl(module, "delete", "pod", *names, f"--namespace={namespace}", *options)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    pods = find(module)
    if not module.check_mode:
        delete(module, pods)
    names = [f"{namespace}/{name}" for namespace, name in pods]
    return {"changed": bool(pods), "pods": names, "diff": {"before": "".join(f"{n}\n" for n in names), "after": ""}}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "kubeconfig": {"type": "path", "required": True},
            "kube": {"type": "path", "required": True},
            "records": {"type": "path", "required": True},
            "driver": {"type": "str", "default": "nfs.csi.k8s.io"},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except LabError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
