#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_user
short_description: Manage users of a MinIO server
version_added: 0.1.0
description:
  - Makes the named users equal to what is given. Users that are not named stay.
  - A secret cannot be read from the server. Whether the given one is in force is found out by signing a harmless
    request with it.
options:
  users:
    description: The users.
    type: list
    elements: dict
    required: true
    suboptions:
      access_key:
        description: Name of the user.
        type: str
        required: true
      secret_key:
        description: Secret of the user, at least 8 characters. Needed with O(users[].state=present).
        type: str
      update_secret:
        description:
          - When the secret is set on a user that exists.
          - V(when_different) sets it when the given one is not in force. So a new generation of a secret arrives with
            the next run, and a secret that somebody changed by hand is set right. The secret of a disabled user cannot
            be tried and stays.
          - V(always) sets it in every run, which is a change every time.
          - V(on_create) never sets it again.
        type: str
        choices: [when_different, always, on_create]
        default: when_different
      policies:
        description: Names of all the policies that the user has. Without it they are left as they are.
        type: list
        elements: str
      enabled:
        description: Whether the user may sign in. The policies of a disabled user cannot be changed.
        type: bool
        default: true
      state:
        description: Whether the user is there.
        type: str
        choices: [present, absent]
        default: present
extends_documentation_fragment:
  - mlops.platform.minio
  - mlops.platform.kube_connection
attributes:
  check_mode: {support: full, description: Without a server that answers the plan assumes an empty one.}
  diff_mode: {support: full, description: Secrets are not shown; the diff says whether the secret changes.}
  idempotent:
    support: full
    description: A second run changes nothing, unless O(users[].update_secret=always).
seealso:
  - module: mlops.platform.minio_policy
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Give an application a user of its own
  mlops.platform.minio_user:
    namespace: mlops
    login_secret: minio
    users:
      - access_key: mlflow
        secret_key: "{{ mlflow_s3_secret }}"
        policies: [mlflow]
      - access_key: somebody-else
        state: absent
"""

RETURN = r"""
created:
  description: Users that were made.
  returned: always
  type: list
  elements: str
  sample: [mlflow]
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

from ansible_collections.mlops.platform.plugins.module_utils._minio import MinioError, user
from ansible_collections.mlops.platform.plugins.module_utils._minio.run import Part, argument_spec, run_module

OPTIONS = {
    "access_key": {"type": "str", "required": True, "no_log": False},
    "secret_key": {"type": "str", "no_log": True},
    "update_secret": {
        "type": "str",
        "choices": ["when_different", "always", "on_create"],
        "default": "when_different",
        "no_log": False,
    },
    "policies": {"type": "list", "elements": "str"},
    "enabled": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
SPEC: dict[str, dict[str, t.Any]] = {
    "users": {"type": "list", "elements": "dict", "required": True, "options": OPTIONS}
}
# What the filter checked_rows asks before anything changes: the list, what refuses a wrong one, and its error.
CHECKED = ("users", user.wanted, MinioError)


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    module = make(argument_spec={**argument_spec(), **SPEC}, supports_check_mode=True)
    run_module(module, lambda params: [Part(user.KIND, params)])


if __name__ == "__main__":
    main()
