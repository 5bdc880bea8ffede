# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of the object store, made complete: their secrets, and what their applications need to know."""

from __future__ import annotations

import re
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.filter.secrets import derived_secret
from ansible_collections.mlops.platform.plugins.module_utils._minio import MinioError, values

DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,56}[a-z0-9])?")
# Secrets of users are derived with their names, and the administrator's with this one.
ROOT = "root"
Row = t.Mapping[str, t.Any]


def minio_applications(
    applications: t.Sequence[Row], master_key: str, cluster: str, endpoint: str, region: str, variable: str = ""
) -> list[dict[str, t.Any]]:
    """For each application: the entry of the module minio_application, and the Secret that the application gets."""
    server = {"endpoint": endpoint, "region": region}
    return [_application(row, master_key, cluster, server, variable or "minio_applications") for row in applications]


def _application(row: Row, master_key: str, cluster: str, server: Row, variable: str) -> dict[str, t.Any]:
    name = row["name"]
    field = f"{variable}, {name}"
    if not DNS_NAME.fullmatch(name):
        raise AnsibleFilterError(f"{field}: the Secret is named after it; write at most 58 of a-z, 0-9 and '-'")
    _refuse_root(row, name, field)
    secret = derived_secret(
        master_key, cluster, "minio", name, row.get("generation") or 1, row.get("secret_key"), variable=field
    )
    own = {key: value for key, value in row.items() if key not in ("generation", "secret") and value is not None}
    present = row.get("state", "present") == "present"
    bucket = row.get("bucket") or name
    url = _url(bucket, row.get("prefix") or "")
    known = {"access_key": name, "secret_key": secret, "bucket": bucket, "url": url, **server}
    return {
        "application": {**own, "secret_key": secret},
        "secret_name": row.get("secret") or f"minio-{name}",
        "secret": known if present else {},
    }


def _refuse_root(row: Row, name: str, field: str) -> None:
    if name == ROOT and row.get("state", "present") == "present":
        raise AnsibleFilterError(f"{field}: a user of this name would get the administrator's secret; choose another")


def _url(bucket: str, prefix: str) -> str:
    return f"s3://{bucket}/{prefix}".rstrip("/")


def minio_external(applications: t.Sequence[Row], store: Row, prefix: str) -> list[dict[str, t.Any]]:
    """The Secrets of the platform's applications in an external store: its one user, and a folder of its bucket."""
    secret = external_store(store)
    known = {**secret, "url": _url(secret["bucket"], prefix)}
    return [{"application": {}, "secret_name": f"minio-{row['name']}", "secret": known} for row in applications]


def external_store(store: Row) -> dict[str, t.Any]:
    """What reaches an external object store; the fields are those of the variables object_store_*."""
    for field in ("endpoint", "bucket", "access_key", "secret_key"):
        if not store.get(field):
            raise AnsibleFilterError(f"object_store_{field}: it is empty; an external object store needs it")
    _taken(values.bucket_name, store["bucket"], "object_store_bucket")
    return {key: value for key, value in store.items() if key != "type"}


def minio_users(users: t.Sequence[Row], master_key: str, cluster: str) -> list[dict[str, t.Any]]:
    """The entries of the module minio_user, each with the given or the derived secret."""
    return [_user(row, master_key, cluster) for row in users]


def _user(row: Row, master_key: str, cluster: str) -> dict[str, t.Any]:
    name, given = row["access_key"], row.get("secret_key")
    field = f"minio_users, {name}"
    _refuse_root(row, name, field)
    secret = derived_secret(master_key, cluster, "minio", name, row.get("generation") or 1, given, variable=field)
    return {
        **{key: value for key, value in row.items() if key != "generation" and value is not None},
        "secret_key": secret,
    }


def minio_root_user(name: str, others: t.Mapping[str, t.Sequence[str]]) -> str:
    """The administrator's name, if MinIO takes it and none of the others has it; those by the variable that has them.

    Absent ones count too: the administrator is not removed as one of them.
    """
    for variable, names in others.items():
        if name in names:
            raise AnsibleFilterError(f"{variable}, {name}: minio_root_user has this name too; change one of them")
    return _taken(values.access_key, name, "minio_root_user")


def _taken(check: t.Callable[[str, str], str], value: str, field: str) -> str:
    """The value, if a check of the modules takes it."""
    try:
        return check(value, field)
    except MinioError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {
            "minio_applications": minio_applications,
            "minio_external": minio_external,
            "minio_root_user": minio_root_user,
            "minio_users": minio_users,
        }
