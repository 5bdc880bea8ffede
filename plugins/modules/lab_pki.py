#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_pki
short_description: Make a CA, certificates and kubeconfigs of the lab
version_added: 0.1.0
description:
  - Makes in one folder a CA, leaf certificates signed by it, bare key pairs, and kubeconfigs that hold a certificate.
  - A certificate is made again when it is missing, expires within 30 days, or says something else than wanted.
requirements: [cryptography]
author: [The mlops.platform maintainers (@mlops-platform)]
attributes:
  check_mode: {support: full, description: Nothing is written in check mode.}
  diff_mode: {support: full, description: Names of the files that are made and why; never their content.}
options:
  path: {description: Folder of the files. Private keys are readable by root only., type: path, required: true}
  common_name: {description: Common name of the CA., type: str, required: true}
  certificates:
    description: Leaf certificates, written to C(<name>.crt) and C(<name>.key).
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the files., type: str, required: true}
      common_name: {description: Common name., type: str, required: true}
      organization: {description: Organization; a group for Kubernetes., type: str}
      sans: {description: DNS names and addresses., type: list, elements: str, required: true}
  key_pairs:
    description: RSA key pairs, written to C(<name>.key) and C(<name>.pub).
    type: list
    elements: str
    default: []
  kubeconfigs:
    description: Kubeconfigs made of the CA and one of the certificates.
    type: list
    elements: dict
    default: []
    suboptions:
      certificate: {description: Name of the certificate., type: str, required: true}
      path: {description: The file., type: path, required: true}
      cluster: {description: Name of the cluster and the context., type: str, required: true}
      server: {description: URL of the API server., type: str, required: true}
"""

EXAMPLES = r"""
- name: Make the registry's certificate
  mlops.platform.lab_pki:
    path: /var/lib/mlops-lab/mlops/pki
    common_name: lab mlops
    certificates:
      - {name: registry, common_name: registry, sans: [10.77.0.1]}
"""

RETURN = r"""
made:
  description: Files that were made, or would be in check mode, each with the reason.
  returned: always
  type: dict
"""

import base64
import datetime as dt
import json
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, files

try:
    from ansible_collections.mlops.platform.plugins.module_utils._lab import pki
except ImportError:
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True


class Folder:
    """The files of one folder; in check mode what would be written is kept in memory only."""

    def __init__(self, path: str, check_mode: bool) -> None:
        self.path, self.check_mode = path, check_mode
        self.made: dict[str, str] = {}
        self._planned: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        path = os.path.join(self.path, name)
        if path in self._planned:
            return self._planned[path]
        return files.read(path)

    def write(self, name: str, content: bytes, reason: str, private: bool = True) -> None:
        path = os.path.join(self.path, name)
        self._planned[path] = content
        self.made[path] = reason
        if not self.check_mode:
            files.write(path, content, private)


def ensure_ca(folder: Folder, common_name: str, now: dt.datetime) -> tuple[bytes, bytes]:
    cert, key = folder.read("ca.crt"), folder.read("ca.key")
    if cert is None or key is None:
        cert, key = pki.new_ca(common_name, now)
        folder.write("ca.key", key, "missing")
        folder.write("ca.crt", cert, "missing", private=False)
    return cert, key


def ensure_leaf(folder: Folder, leaf: pki.Leaf, ca: tuple[bytes, bytes], now: dt.datetime) -> None:
    present = folder.read(f"{leaf.name}.crt") if folder.read(f"{leaf.name}.key") else None
    reason = pki.why_renew(present, leaf, ca[0], now)
    if reason:
        cert, key = pki.new_leaf(leaf, *ca, now)
        folder.write(f"{leaf.name}.key", key, reason)
        folder.write(f"{leaf.name}.crt", cert, reason, private=False)


def ensure_key_pair(folder: Folder, name: str) -> None:
    if folder.read(f"{name}.key") is None or folder.read(f"{name}.pub") is None:
        key = pki.new_rsa_key()
        folder.write(f"{name}.key", key, "missing")
        folder.write(f"{name}.pub", pki.public_pem(key), "missing", private=False)


def kubeconfig(cluster: str, server: str, ca: bytes, cert: bytes, key: bytes) -> bytes:
    """A kubeconfig as JSON, which is YAML too."""
    text = {name: base64.b64encode(value).decode() for name, value in (("ca", ca), ("cert", cert), ("key", key))}
    user = {"client-certificate-data": text["cert"], "client-key-data": text["key"]}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {"server": server, "certificate-authority-data": text["ca"]}}],
        "users": [{"name": cluster, "user": user}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
        "current-context": cluster,
    }
    return json.dumps(config, indent=1).encode() + b"\n"


def ensure_kubeconfig(folder: Folder, wanted: t.Mapping[str, str], ca: bytes) -> None:
    cert, key = folder.read(f"{wanted['certificate']}.crt"), folder.read(f"{wanted['certificate']}.key")
    if cert is None or key is None:
        raise LabError(f"kubeconfigs: {wanted['certificate']!r} is not one of the certificates")
    content = kubeconfig(wanted["cluster"], wanted["server"], ca, cert, key)
    seen = folder.read(wanted["path"])
    if seen != content:
        folder.write(wanted["path"], content, "missing" if seen is None else "other content")


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    folder = Folder(params["path"], module.check_mode)
    now = dt.datetime.now(dt.timezone.utc)
    ca = ensure_ca(folder, params["common_name"], now)
    for wanted in params["certificates"]:
        ensure_leaf(folder, pki.Leaf(**{**wanted, "sans": tuple(wanted["sans"])}), ca, now)
    for name in params["key_pairs"]:
        ensure_key_pair(folder, name)
    for wanted in params["kubeconfigs"]:
        ensure_kubeconfig(folder, wanted, ca[0])
    shown = "".join(f"{path}: {reason}\n" for path, reason in folder.made.items())
    return {"changed": bool(folder.made), "made": folder.made, "diff": {"before": "", "after": shown}}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    text = {"type": "str", "required": True}
    certificate = {
        "name": text,
        "common_name": text,
        "organization": {"type": "str"},
        "sans": {"type": "list", "elements": "str", "required": True},
    }
    config = {"certificate": text, "path": {"type": "path", "required": True}, "cluster": text, "server": text}
    module = make(
        argument_spec={
            "path": {"type": "path", "required": True},
            "common_name": text,
            "certificates": {"type": "list", "elements": "dict", "default": [], "options": certificate},
            "key_pairs": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "kubeconfigs": {"type": "list", "elements": "dict", "default": [], "options": config},
        },
        supports_check_mode=True,
    )
    if not HAS_CRYPTOGRAPHY:
        module.fail_json(msg=missing_required_lib("cryptography"))
    try:
        module.exit_json(**run(module))
    except LabError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
