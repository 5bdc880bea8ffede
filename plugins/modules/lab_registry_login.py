#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_registry_login
short_description: Make the login of the lab's image registry
version_added: 0.1.0
description:
  - Writes three files, readable by root only. C(password) holds a random password, made once; C(htpasswd) its hash
    for the registry; C(auth.json) the login for skopeo, buildah and pull secrets.
author: [The mlops.platform maintainers (@mlops-platform)]
attributes:
  check_mode: {support: full, description: Nothing is written in check mode.}
  diff_mode: {support: full, description: Names of the files; never their content.}
options:
  path: {description: Folder of the files., type: path, required: true}
  username: {description: Name of the user., type: str, required: true}
  registry: {description: Address and port of the registry., type: str, required: true}
"""

EXAMPLES = r"""
- name: Make the login
  mlops.platform.lab_registry_login:
    path: /var/lib/mlops-lab/mlops/registry
    username: lab
    registry: 10.77.0.1:5000
"""

RETURN = r"""
written:
  description: Names of the files that were written, or would be in check mode.
  returned: success
  type: list
  elements: str
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, files, htpasswd


def wanted(current: dict[str, str], username: str, registry: str) -> dict[str, str]:
    """Return the files' contents, keeping what is still right of the current ones."""
    password = current["password"].strip() or htpasswd.new_password()
    return {
        "password": password + "\n",
        "htpasswd": htpasswd.htpasswd(username, password, current["htpasswd"]),
        "auth.json": htpasswd.auth_file(registry, username, password),
    }


def run(module: AnsibleModule) -> dict[str, object]:
    """Compare and write."""
    folder = module.params["path"]
    names = ("password", "htpasswd", "auth.json")
    current = {name: (files.read(os.path.join(folder, name)) or b"").decode() for name in names}
    contents = wanted(current, module.params["username"], module.params["registry"])
    written = [name for name in names if contents[name] != current[name]]
    if not module.check_mode:
        for name in written:
            files.write(os.path.join(folder, name), contents[name].encode(), private=True)
    diff = {"before": "", "after": "".join(f"{name} (hidden)\n" for name in written)}
    return {"changed": bool(written), "written": written, "diff": diff}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    module = make(
        argument_spec={
            "path": {"type": "path", "required": True},
            "username": {"type": "str", "required": True},
            "registry": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except LabError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
