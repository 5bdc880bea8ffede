#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: mlflow_user
short_description: Manage users of an MLflow server with basic authentication
version_added: 0.1.0
description:
  - Makes the named users equal to what is given. Users that are not named stay.
  - MLflow takes the administrator's password from its configuration at its first start only. This module makes the
    given one the password that is in force.
  - Passwords cannot be read. Whether the given one is in force is found out by signing in with it.
options:
  users:
    description: The users beside the administrator.
    type: list
    elements: dict
    default: []
    suboptions:
      username:
        description: Name of the user.
        type: str
        required: true
      password:
        description: Password, at least 12 characters. Needed with O(users[].state=present).
        type: str
      update_password:
        description: Whether the password is set when the given one is not in force. V(false) leaves it to the user.
        type: bool
        default: true
      admin:
        description: Whether the user may do everything.
        type: bool
        default: false
      state:
        description: Whether the user is there.
        type: str
        choices: [present, absent]
        default: present
  admin_username:
    description: Name of the administrator.
    type: str
    default: admin
  admin_password:
    description: The administrator's password, at least 12 characters.
    type: str
  previous_passwords:
    description:
      - Passwords of the administrator that may still be in force. Where one is, it is changed to the given one.
    type: list
    elements: str
    default: []
  login_secret:
    description:
      - Name of a Secret in O(namespace) with the administrator's name and password (C(username), C(password)), instead
        of O(admin_password).
    type: str
  endpoint:
    description:
      - URL of the server, such as V(https://mlflow.example.com).
      - Without it, the server is reached through the API server of its cluster, see O(service).
    type: str
  ca_file:
    description: Path of the CA certificates that sign the certificate of O(endpoint). Without it the system's are used.
    type: path
  service:
    description: Service of the server in its cluster. It is reached by a port-forward through the API server.
    type: str
    default: mlflow
  namespace:
    description: Namespace of O(service) and of O(login_secret).
    type: str
  port:
    description: Port of O(service).
    type: int
    default: 5000
  tls:
    description:
      - Whether O(service) speaks TLS. Its certificate is not checked, because the API server vouches for the pod.
    type: bool
    default: false
extends_documentation_fragment:
  - mlops.platform.kube_connection
attributes:
  check_mode: {support: full, description: Without a server that answers the plan assumes an empty one.}
  diff_mode: {support: full, description: Passwords are not shown; the diff says whether one changes.}
  idempotent: {support: full, description: A second run changes nothing.}
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Make users, and a new password of the administrator the one that is in force
  mlops.platform.mlflow_user:
    namespace: mlops
    login_secret: mlflow
    previous_passwords: ["{{ the_password_of_before }}"]
    users:
      - username: ana
        password: "{{ ana_password }}"
      - username: somebody-else
        state: absent
"""

RETURN = r"""
created:
  description: Users that were made.
  returned: always
  type: list
  elements: str
  sample: [ana]
configured:
  description: Users that were changed.
  returned: always
  type: list
  elements: str
removed:
  description: Users that were removed.
  returned: always
  type: list
  elements: str
not_verified:
  description: In check mode, users whose plan is a guess, because the server does not answer yet.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.mlops.platform.plugins.module_utils._mlflow import MlflowError, users
from ansible_collections.mlops.platform.plugins.module_utils._mlflow.client import Login
from ansible_collections.mlops.platform.plugins.module_utils._mlflow.run import manage
from ansible_collections.mlops.platform.plugins.module_utils._plan import States

USERS = {
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "no_log": True},
    "update_password": {"type": "bool", "default": True, "no_log": False},
    "admin": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
SPEC = {
    "users": {"type": "list", "elements": "dict", "default": [], "options": USERS},
    "admin_username": {"type": "str", "default": "admin"},
    "admin_password": {"type": "str", "no_log": True},
    "previous_passwords": {"type": "list", "elements": "str", "default": [], "no_log": True},
    "login_secret": {"type": "str", "no_log": False},
    "endpoint": {"type": "str"},
    "ca_file": {"type": "path"},
    "service": {"type": "str", "default": "mlflow"},
    "namespace": {"type": "str"},
    "port": {"type": "int", "default": 5000},
    "tls": {"type": "bool", "default": False},
}


def wanted(params: t.Mapping[str, t.Any]) -> States:
    """The users by name; a wrong value is refused."""
    return users.wanted({**params, "login": Login(params["admin_username"], params["admin_password"])})


# What the filter checked_rows asks before anything changes: the list, what refuses a wrong one, and its error.
CHECKED = ("users", wanted, MlflowError)


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    module = make(argument_spec={**argument_spec(), **SPEC}, supports_check_mode=True)
    try:
        done = manage(module.params, module.check_mode)
    except MlflowError as error:
        module.fail_json(msg=str(error))
    if done["not_verified"]:
        module.warn(f"the plan could not be verified, it assumes an empty server: {done.pop('reason')}")
    module.exit_json(**done)


if __name__ == "__main__":
    main()
