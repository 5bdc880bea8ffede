#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_policy
short_description: Manage access policies of a MinIO server
version_added: 0.1.0
description:
  - Makes the named policies equal to the given documents. Policies that are not named stay.
  - Documents are compared by what they mean. The order of actions, resources and statements does not matter.
options:
  policies:
    description: The policies.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the policy. The policies that are built into MinIO are refused.
        type: str
        required: true
      policy:
        description: The document as a dictionary or as JSON text. Needed with O(policies[].state=present).
        type: raw
      state:
        description: A policy that a user has cannot be removed. Take it from the user first.
        type: str
        choices: [present, absent]
        default: present
extends_documentation_fragment:
  - mlops.platform.minio
  - mlops.platform.kube_connection
attributes:
  check_mode: {support: full, description: Without a server that answers the plan assumes an empty one.}
  diff_mode: {support: full, description: Shows the documents in one canonical form.}
  idempotent: {support: full, description: A second run changes nothing.}
seealso:
  - module: mlops.platform.minio_user
  - module: mlops.platform.minio_bucket
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Let an application read and write one folder of a bucket
  mlops.platform.minio_policy:
    namespace: mlops
    login_secret: minio
    policies:
      - name: models-writer
        policy:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Action: [s3:GetObject, s3:PutObject, s3:DeleteObject]
              Resource: arn:aws:s3:::models/iris/*
            - Effect: Allow
              Action: s3:ListBucket
              Resource: arn:aws:s3:::models
              Condition: {StringLike: {s3:prefix: iris/*}}
      - name: no-longer-used
        state: absent
"""

RETURN = r"""
created:
  description: Policies that were made.
  returned: always
  type: list
  elements: str
  sample: [models-writer]
configured:
  description: Policies that were changed.
  returned: always
  type: list
  elements: str
removed:
  description: Policies that were removed.
  returned: always
  type: list
  elements: str
not_verified:
  description: In check mode, policies whose plan is a guess, because the server does not answer yet.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._minio import MinioError, policy
from ansible_collections.mlops.platform.plugins.module_utils._minio.run import Part, argument_spec, run_module

OPTIONS = {
    "name": {"type": "str", "required": True},
    "policy": {"type": "raw"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
SPEC: dict[str, dict[str, t.Any]] = {
    "policies": {"type": "list", "elements": "dict", "required": True, "options": OPTIONS}
}
# What the filter checked_rows asks before anything changes: the list, what refuses a wrong one, and its error.
CHECKED = ("policies", policy.wanted, MinioError)


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    module = make(argument_spec={**argument_spec(), **SPEC}, supports_check_mode=True)
    run_module(module, lambda params: [Part(policy.KIND, params)])


if __name__ == "__main__":
    main()
