#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: container_image_mirror
short_description: Copy published container images into a registry of one's own, by digest
version_added: 0.1.0
description:
  - Copies images with all their platforms, digest for digest, where the registry does not have them.
  - An image whose digest is given is only ever that digest. Of one without, the digest that its tag has at the first
    copy is taken and returned; afterwards the source is not asked any more, so an air gap may be closed.
author: [The mlops.platform maintainers (@mlops-platform)]
requirements:
  - skopeo 1.6 or newer
attributes:
  check_mode: {support: full, description: Says what would be copied. Both registries are asked as for the copy.}
  diff_mode: {support: full, description: The digest of each image in the registry before and after.}
options:
  images:
    description: The images.
    type: list
    elements: dict
    required: true
    suboptions:
      source:
        description: Where it is published, as C(HOST/REPOSITORY:TAG).
        type: str
        required: true
      digest:
        description: The digest that it must have.
        type: str
      name:
        description: Its name below O(registry). The last part of the source's repository when not given.
        type: str
  registry:
    description: Where to copy to, as C(HOST[:PORT][/PROJECT]).
    type: str
    required: true
  registry_username:
    description: Who logs in.
    type: str
  registry_password:
    description: The password. It reaches skopeo in a file that is removed at the end.
    type: str
  registry_authfile:
    description: Instead of user name and password, a file with logins.
    type: path
  registry_ca_file:
    description: The CA that signed the registry's certificate. The operating system's when not given.
    type: path
  source_authfile:
    description: A file with logins for the registries of the sources.
    type: path
  source_ca_file:
    description: The CA that signed the certificates of the sources' registries.
    type: path
  log_dir:
    description: Folder for one log per image.
    type: path
    default: /var/log/mlops-images
"""

EXAMPLES = r"""
- name: Mirror the CSI driver
  mlops.platform.container_image_mirror:
    images:
      - {source: registry.example.com/sig-storage/nfsplugin:v4.13.4}
    registry: harbor.example.com/mlops
    registry_username: builder
    registry_password: "{{ vault_registry_password }}"
"""

RETURN = r"""
images:
  description: The images as the registry has them.
  returned: always
  type: list
  elements: dict
  sample:
    - name: nfsplugin
      source: registry.example.com/sig-storage/nfsplugin:v4.13.4
      digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
      reference: harbor.example.com/mlops/nfsplugin:v4.13.4
      pinned: harbor.example.com/mlops/nfsplugin@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
      changed: true
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, mirror
from ansible_collections.mlops.platform.plugins.module_utils._images.engine import Runner
from ansible_collections.mlops.platform.plugins.module_utils._images.login import Login, options
from ansible_collections.mlops.platform.plugins.module_utils._images.registry import RegistryClient

ARGUMENTS: dict[str, t.Any] = {
    "images": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "source": {"type": "str", "required": True},
            "digest": {"type": "str"},
            "name": {"type": "str"},
        },
    },
    "registry": {"type": "str", "required": True},
    "registry_username": {"type": "str"},
    "registry_password": {"type": "str", "no_log": True},
    "registry_authfile": {"type": "path"},
    "registry_ca_file": {"type": "path"},
    "source_authfile": {"type": "path"},
    "source_ca_file": {"type": "path"},
    "log_dir": {"type": "path", "default": "/var/log/mlops-images"},
}


def source_params(params: t.Mapping[str, t.Any], host: str | None) -> dict[str, t.Any]:
    """The parameters of a source's registry, in the form of those of our own."""
    return {
        "registry": host,
        "registry_username": None,
        "registry_password": None,
        "registry_authfile": params["source_authfile"],
        "registry_ca_file": params["source_ca_file"],
    }


def diff(copies: t.Sequence[mirror.Copy], address: str) -> dict[str, str]:
    """The digest of each image before and after."""

    def lines(digests: t.Iterable[str | None]) -> str:
        pairs = zip(copies, digests)
        return "".join(f"{address}/{copy.image.name}:{copy.image.tag} {digest}\n" for copy, digest in pairs if digest)

    return {"before": lines(copy.present for copy in copies), "after": lines(copy.wanted for copy in copies)}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Compare, and copy what is missing unless in check mode."""
    params = module.params
    address: str = params["registry"]
    images = [mirror.mirrored_from(spec) for spec in params["images"]]
    runner = Runner(params["log_dir"])

    with Login(params, module.tmpdir) as target, Login(source_params(params, None), module.tmpdir) as sources:

        def source(host: str) -> RegistryClient:
            with Login(source_params(params, host), module.tmpdir) as login:
                return login.required_client()

        copies = mirror.plan(images, address, target.required_client(), source)
        for copy in copies if not module.check_mode else ():
            if copy.needed:
                os.makedirs(params["log_dir"], exist_ok=True)
                argv = mirror.command(copy, address, options(sources, "--src"), options(target, "--dest"))
                runner.logged(copy.image.name, argv)
    changed = any(copy.needed for copy in copies)
    return {"changed": changed, "images": [copy.result(address) for copy in copies], "diff": diff(copies, address)}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        ARGUMENTS,
        supports_check_mode=True,
        mutually_exclusive=[["registry_password", "registry_authfile"]],
        required_together=[["registry_username", "registry_password"]],
    )
    try:
        result = run(module)
    except ImagesError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
