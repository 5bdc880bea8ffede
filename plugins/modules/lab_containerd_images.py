#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_containerd_images
short_description: Import image archives into a containerd
version_added: 0.1.0
description:
  - Imports those archives whose reference containerd does not have yet. A reference names its content, so an image that
    is there is the right one.
author: [The mlops.platform maintainers (@mlops-platform)]
attributes:
  check_mode: {support: full, description: Nothing is imported in check mode.}
  diff_mode: {support: full, description: The references that are imported.}
options:
  socket: {description: The socket of containerd., type: path, required: true}
  namespace: {description: The namespace of containerd., type: str, default: k8s.io}
  images:
    description: The images.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Name of the image; for the reader only., type: str}
      reference: {description: The reference that the archive holds., type: str, required: true}
      archive: {description: The OCI archive., type: path, required: true}
"""

EXAMPLES = r"""
- name: Import the pause image
  mlops.platform.lab_containerd_images:
    socket: /run/mlops-lab/mlops/desa01/containerd.sock
    images:
      - {reference: "lab.local/pause:0123", archive: /var/cache/mlops-lab/images/pause-0123.tar}
"""

RETURN = r"""
imported:
  description: The references that were imported.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule


def missing(images: t.Sequence[t.Mapping[str, str]], present: t.Collection[str]) -> list[t.Mapping[str, str]]:
    return [image for image in images if image["reference"] not in present]


def run(module: AnsibleModule) -> dict[str, t.Any]:
    ctr = ["ctr", "--address", module.params["socket"], "--namespace", module.params["namespace"], "images"]
    _rc, out, _err = module.run_command([*ctr, "list", "--quiet"], check_rc=True)
    wanted = missing(module.params["images"], set(str(out).split()))
    for image in wanted if not module.check_mode else []:
        # The archive holds its reference. With --index-name a second image of that name would take the place of the
        # first while it is being unpacked.
        module.run_command([*ctr, "import", image["archive"]], check_rc=True)
    imported = [image["reference"] for image in wanted]
    diff = {"before": "", "after": "".join(f"{reference}\n" for reference in imported)}
    return {"changed": bool(imported), "imported": imported, "diff": diff}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    image = {
        "name": {"type": "str"},
        "reference": {"type": "str", "required": True},
        "archive": {"type": "path", "required": True},
    }
    module = make(
        argument_spec={
            "socket": {"type": "path", "required": True},
            "namespace": {"type": "str", "default": "k8s.io"},
            "images": {"type": "list", "elements": "dict", "required": True, "options": image},
        },
        supports_check_mode=True,
    )
    module.exit_json(**run(module))


if __name__ == "__main__":
    main()
