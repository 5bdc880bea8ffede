#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password that a running Redis server accepts."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_password
short_description: Make a running Redis server accept a password, or only that
version_added: 0.1.0
description:
  - Changes the password of a user without a restart, in two steps. First the new one is added, and old ones stay valid
    while clients move. Then, with O(exclusive=true), the old ones end.
  - It reaches the server in the cluster by a port-forward through the API server, or at O(endpoint).
  - The change is kept in the server's file of users (C(aclfile)).
options:
  password:
    description: The password that the server shall accept.
    type: str
    required: true
  previous_passwords:
    description: Passwords that may be valid still. They are used to sign in where O(password) is refused.
    type: list
    elements: str
    default: []
  exclusive:
    description: Whether all other passwords of the user end.
    type: bool
    default: false
  user:
    description: The user. It must be allowed to change users.
    type: str
    default: default
  namespace:
    description: Namespace of the Service.
    type: str
    default: mlops
  service:
    description: Service of the server.
    type: str
    default: redis
  port:
    description: Port of the Service.
    type: int
    default: 6379
  endpoint:
    description: Address of the server as V(host:port), instead of a port-forward.
    type: str
  tls:
    description: Whether the server speaks TLS. At O(endpoint) its certificate is verified.
    type: bool
    default: false
  ca_file:
    description: Certificates that sign the server's. The default is the system's.
    type: path
extends_documentation_fragment:
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: Where the server is not there yet, the change is planned and named in RV(not_verified).
    support: full
  diff_mode:
    description: It shows whether the newest password is valid, and how many others are.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Accept the new password beside the old one
  mlops.platform.redis_password:
    password: "{{ new_password }}"
    previous_passwords: ["{{ old_password }}"]

- name: Accept only the new password, after its users have moved
  mlops.platform.redis_password:
    password: "{{ new_password }}"
    exclusive: true
"""

RETURN = r"""
others:
  description: How many other passwords of the user are valid afterwards.
  returned: always
  type: int
not_verified:
  description: In check mode, the user, if the server is not there yet.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.mlops.platform.plugins.module_utils._redis import RedisError, connect, manage

SPEC: dict[str, dict[str, t.Any]] = {
    "password": {"type": "str", "required": True, "no_log": True},
    "previous_passwords": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "exclusive": {"type": "bool", "default": False},
    "user": {"type": "str", "default": "default"},
    "namespace": {"type": "str", "default": "mlops"},
    "service": {"type": "str", "default": "redis"},
    "port": {"type": "int", "default": 6379},
    "endpoint": {"type": "str"},
    "tls": {"type": "bool", "default": False},
    "ca_file": {"type": "path"},
}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    module = make(argument_spec={**argument_spec(), **SPEC}, supports_check_mode=True)
    try:
        done = manage(module.params, module.check_mode, connect)
    except RedisError as error:
        module.fail_json(msg=str(error))
    if done["not_verified"]:
        module.warn(f"the plan could not be verified, it assumes an empty server: {done.pop('reason')}")
    module.exit_json(**done)


if __name__ == "__main__":
    main()
