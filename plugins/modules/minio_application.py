#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: minio_application
short_description: Give applications a place of their own on a MinIO server
version_added: 0.1.0
description:
  - For each application a bucket, a policy for that bucket and nothing else, and a user with that policy, in one task.
  - M(mlops.platform.minio_bucket), M(mlops.platform.minio_policy) and M(mlops.platform.minio_user) do it one by one.
options:
  applications:
    description: The applications.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the user and of the policy.
        type: str
        required: true
      secret_key:
        description: Secret of the user, at least 8 characters. Needed with O(applications[].state=present).
        type: str
      bucket:
        description: Name of the bucket. The default is O(applications[].name).
        type: str
      prefix:
        description: The part of the bucket that the application may use, such as V(models/). Without it all of it.
        type: str
        default: ""
      access:
        description: Whether the application may change objects or only read them.
        type: str
        choices: [read, write]
        default: write
      versioning:
        description: Whether former versions of the bucket's objects are kept.
        type: bool
      quota:
        description: Largest size of all objects of the bucket, such as V(50Gi). V(0) stands for no limit.
        type: str
      state:
        description: V(absent) removes the user and the policy. The bucket and its objects stay.
        type: str
        choices: [present, absent]
        default: present
extends_documentation_fragment:
  - mlops.platform.minio
  - mlops.platform.kube_connection
attributes:
  check_mode: {support: full, description: Without a server that answers the plan assumes an empty one.}
  diff_mode: {support: full, description: Secrets are not shown; the diff says whether the secret changes.}
  idempotent: {support: full, description: A second run changes nothing.}
seealso:
  - module: mlops.platform.minio_bucket
  - module: mlops.platform.minio_policy
  - module: mlops.platform.minio_user
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Give MLflow a bucket
  mlops.platform.minio_application:
    namespace: mlops
    login_secret: minio
    applications:
      - name: mlflow
        secret_key: "{{ mlflow_s3_secret }}"
        quota: 500Gi
      - name: reporting
        secret_key: "{{ reporting_s3_secret }}"
        bucket: mlflow
        prefix: desa/
        access: read
"""

RETURN = r"""
created:
  description: What was made.
  returned: always
  type: list
  elements: str
  sample: [bucket mlflow, policy mlflow, user mlflow]
configured:
  description: What was changed.
  returned: always
  type: list
  elements: str
removed:
  description: What was removed.
  returned: always
  type: list
  elements: str
not_verified:
  description: In check mode, what the plan is a guess for, because the server does not answer yet.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._minio import MinioError, bucket, policy, user, values
from ansible_collections.mlops.platform.plugins.module_utils._minio.connection import Params
from ansible_collections.mlops.platform.plugins.module_utils._minio.run import Part, argument_spec, run_module

Rows = list[dict[str, t.Any]]
OPTIONS = {
    "name": {"type": "str", "required": True},
    "secret_key": {"type": "str", "no_log": True},
    "bucket": {"type": "str"},
    "prefix": {"type": "str", "default": ""},
    "access": {"type": "str", "choices": ["read", "write"], "default": "write"},
    "versioning": {"type": "bool"},
    "quota": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
SPEC: dict[str, dict[str, t.Any]] = {
    "applications": {"type": "list", "elements": "dict", "required": True, "options": OPTIONS}
}


def parts(params: Params) -> list[Part]:
    """The applications as buckets, policies and users, in the order in which they need each other."""
    named = values.unique_by(params["applications"], "name", "applications")
    applications = [checked(row, f"applications.{name}") for name, row in named.items()]
    return [
        Part(bucket.KIND, {"buckets": buckets(applications)}, "bucket"),
        Part(policy.KIND, {"policies": [policy_of(row) for row in applications]}, "policy"),
        Part(user.KIND, {"users": [user_of(row) for row in applications]}, "user"),
    ]


def checked(row: dict[str, t.Any], field: str) -> dict[str, t.Any]:
    """The application with its bucket; what the server would refuse is refused here."""
    values.policy_name(values.access_key(row["name"], f"{field}.name"), f"{field}.name")
    bucket_name = values.bucket_name(row["bucket"] or row["name"], f"{field}.bucket")
    values.prefix(row["prefix"], f"{field}.prefix")
    values.size(row["quota"] or "0", f"{field}.quota")
    if row["state"] == "present":
        values.secret_key(row["secret_key"] or "", f"{field}.secret_key")
    return {**row, "bucket": bucket_name}


def buckets(applications: Rows) -> Rows:
    """The buckets; applications that share one must agree about it."""
    found: dict[str, dict[str, t.Any]] = {}
    for row in applications:
        if row["state"] == "absent":
            continue
        known = found.setdefault(row["bucket"], bucket.unset(row["bucket"]))
        for field in ("versioning", "quota"):
            if row[field] is not None and known[field] not in (None, row[field]):
                raise MinioError(f"applications.{row['name']}.{field}: another application of this bucket differs")
            known[field] = known[field] if row[field] is None else row[field]
    return list(found.values())


def policy_of(row: Params) -> dict[str, t.Any]:
    """The policy for the application's bucket and nothing else."""
    document = values.bucket_policy(row["bucket"], row["prefix"], row["access"])
    return {"name": row["name"], "policy": document, "state": row["state"]}


def user_of(row: Params) -> dict[str, t.Any]:
    """The user, with that one policy."""
    return {
        "access_key": row["name"],
        "secret_key": row["secret_key"],
        "update_secret": "when_different",
        "policies": [row["name"]],
        "enabled": True,
        "state": row["state"],
    }


def wanted(params: Params) -> list[t.Any]:
    """All that the applications need; a wrong value is refused."""
    return [part.kind.wanted(part.params) for part in parts(params)]


# What the filter checked_rows asks before anything changes: the list, what refuses a wrong one, and its error.
CHECKED = ("applications", wanted, MinioError)


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    module = make(argument_spec={**argument_spec(), **SPEC}, supports_check_mode=True)
    run_module(module, parts)


if __name__ == "__main__":
    main()
