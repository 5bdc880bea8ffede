#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_bucket
short_description: Manage buckets of a MinIO server
version_added: 0.1.0
description:
  - Makes the named buckets equal to what is given. Buckets that are not named, and settings that are not given, stay.
  - Versioning, object lock and lifecycle are S3 and work with other servers too; O(buckets[].quota) is MinIO's own.
options:
  buckets:
    description: The buckets.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the bucket. What S3 refuses is refused here, with the reason, before anything is sent.
        type: str
        required: true
      versioning:
        description: Whether former versions of objects are kept. V(false) keeps those that are there.
        type: bool
      quota:
        description: Largest size of all objects, such as V(50Gi). V(0) stands for no limit.
        type: str
      object_lock:
        description: Whether objects can be locked against removal. It can be chosen only when the bucket is made.
        type: bool
      retention:
        description: How long new objects are locked. An empty dictionary stands for not at all.
        type: dict
        suboptions:
          mode:
            description: Whether an administrator can lift the lock (V(governance)) or nobody (V(compliance)).
            type: str
            choices: [governance, compliance]
          days: {description: Days of the lock., type: int}
          years: {description: Years of the lock., type: int}
      lifecycle:
        description: All the rules of the bucket. An empty list stands for none.
        type: list
        elements: dict
        suboptions:
          id: {description: Name of the rule., type: str, required: true}
          enabled: {description: Whether the rule is in force., type: bool, default: true}
          prefix: {description: Objects whose name begins with it., type: str, default: ""}
          expire_days: {description: Remove objects after so many days., type: int}
          expire_delete_markers:
            description: Remove the mark of a removed object when no version of it is left.
            type: bool
            default: false
          noncurrent_days: {description: Remove former versions after so many days., type: int}
          noncurrent_keep: {description: Keep so many of the newest former versions., type: int}
      state:
        description: V(absent) removes a bucket that is empty. One with objects is refused.
        type: str
        choices: [present, absent]
        default: present
extends_documentation_fragment:
  - mlops.platform.minio
  - mlops.platform.kube_connection
attributes:
  check_mode: {support: full, description: Without a server that answers the plan assumes an empty one.}
  diff_mode: {support: full, description: Shows the settings that were given.}
  idempotent: {support: full, description: A second run changes nothing.}
seealso:
  - module: mlops.platform.minio_user
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Make the buckets
  mlops.platform.minio_bucket:
    namespace: mlops
    login_secret: minio
    buckets:
      - name: mlflow
        quota: 500Gi
      - name: models
        versioning: true
        lifecycle:
          - {id: former-versions, noncurrent_days: 90, noncurrent_keep: 3}
      - name: audit
        object_lock: true
        retention: {mode: governance, days: 365}
"""

RETURN = r"""
created:
  description: Buckets that were made.
  returned: always
  type: list
  elements: str
  sample: [mlflow, models]
configured:
  description: Buckets that were changed.
  returned: always
  type: list
  elements: str
removed:
  description: Buckets that were removed.
  returned: always
  type: list
  elements: str
not_verified:
  description: In check mode, buckets whose plan is a guess, because the server does not answer yet.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._minio import MinioError, bucket
from ansible_collections.mlops.platform.plugins.module_utils._minio.run import Part, argument_spec, run_module

FLAG = {"type": "bool"}
NUMBER = {"type": "int"}
RETENTION = {"mode": {"type": "str", "choices": ["governance", "compliance"]}, "days": NUMBER, "years": NUMBER}
RULE = {
    "id": {"type": "str", "required": True},
    "enabled": {"type": "bool", "default": True},
    "prefix": {"type": "str", "default": ""},
    "expire_days": NUMBER,
    "expire_delete_markers": {"type": "bool", "default": False},
    "noncurrent_days": NUMBER,
    "noncurrent_keep": NUMBER,
}
OPTIONS = {
    "name": {"type": "str", "required": True},
    "versioning": FLAG,
    "quota": {"type": "str"},
    "object_lock": FLAG,
    "retention": {"type": "dict", "options": RETENTION},
    "lifecycle": {"type": "list", "elements": "dict", "options": RULE},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
SPEC: dict[str, dict[str, t.Any]] = {
    "buckets": {"type": "list", "elements": "dict", "required": True, "options": OPTIONS}
}
# What the filter checked_rows asks before anything changes: the list, what refuses a wrong one, and its error.
CHECKED = ("buckets", bucket.wanted, MinioError)


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    module = make(argument_spec={**argument_spec(), **SPEC}, supports_check_mode=True)
    run_module(module, lambda params: [Part(bucket.KIND, params)])


if __name__ == "__main__":
    main()
