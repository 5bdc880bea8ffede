# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The settings of a bucket: in the module's form, in the client's, and from one to the other."""

from __future__ import annotations

import json
import typing as t

from .._plan import State
from . import MinioError
from .connection import HAS_MINIO, Clients, Params, RefusedError, call, maybe

if HAS_MINIO:
    from minio.commonconfig import Filter
    from minio.lifecycleconfig import Expiration, LifecycleConfig, NoncurrentVersionExpiration, Rule
    from minio.objectlockconfig import ObjectLockConfig
    from minio.versioningconfig import VersioningConfig

Rows = list[dict[str, t.Any]]


def retention(value: Params | None, field: str) -> dict[str, t.Any] | None:
    """The default lock of new objects; {} is none."""
    given = {key: item for key, item in (value or {}).items() if item is not None}
    if value is None or not given:
        return None if value is None else {}
    period = {key: item for key, item in given.items() if key != "mode"}
    if "mode" not in given or len(period) != 1 or min(period.values()) < 1:
        raise MinioError(f"{field}: give mode, and either days or years above 0; {{}} stands for none")
    return given


def rules(items: t.Sequence[Params] | None, field: str) -> Rows | None:
    """The lifecycle rules in a fixed order, each without what it does not say."""
    if items is None:
        return None
    kept = [{key: value for key, value in item.items() if value is not None} for item in items]
    for number, rule in enumerate(kept):
        _check_rule(rule, f"{field}[{number}]")
        if [other["id"] for other in kept].count(rule["id"]) > 1:
            raise MinioError(f"{field}[{number}].id: '{rule['id']}' is given twice; rename one")
    return sorted(kept, key=lambda rule: str(rule["id"]))


def _check_rule(rule: Params, field: str) -> None:
    numbers = {key: rule[key] for key in ("expire_days", "noncurrent_days", "noncurrent_keep") if key in rule}
    for key, value in numbers.items():
        if value < 1:
            raise MinioError(f"{field}.{key}: {value} is not above 0; leave it out to say nothing")
    if not numbers and not rule["expire_delete_markers"]:
        raise MinioError(f"{field}: it does nothing; give expire_days, noncurrent_days or another action")
    if rule["expire_delete_markers"] and "expire_days" in rule:
        raise MinioError(f"{field}.expire_delete_markers: expire_days removes the marks too; drop one")


def read(clients: Clients, name: str, asked: State | None) -> State | None:
    """The settings of a bucket that are asked for; None where there is no such bucket."""
    # Not bucket_exists: a HEAD has no body that says why it was refused.
    if maybe(clients.s3.get_bucket_versioning, name) is None:
        return None
    return {field: READERS[field](clients, name) for field, value in (asked or {}).items() if value is not None}


def lock_of(clients: Clients, name: str) -> ObjectLockConfig | None:
    """The lock configuration; None where objects cannot be locked."""
    try:
        return call(clients.s3.get_object_lock_config, name)
    except RefusedError as error:
        if error.code == "ObjectLockConfigurationNotFoundError":
            return None
        raise


def _read_retention(clients: Clients, name: str) -> dict[str, t.Any]:
    lock = lock_of(clients, name)
    if lock is None or lock.mode is None:
        return {}
    return {"mode": lock.mode.lower(), str(lock.duration_unit).lower(): lock.duration}


def _set_retention(clients: Clients, name: str, value: t.Mapping[str, t.Any]) -> None:
    unit = "days" if "days" in value else "years"
    lock = (value["mode"].upper(), value[unit], unit.title()) if value else (None, None, None)
    call(clients.s3.set_object_lock_config, name, ObjectLockConfig(*lock))


def _read_versioning(clients: Clients, name: str) -> bool:
    return call(clients.s3.get_bucket_versioning, name).status == "Enabled"


def _set_versioning(clients: Clients, name: str, value: bool) -> None:
    call(clients.s3.set_bucket_versioning, name, VersioningConfig("Enabled" if value else "Suspended"))


def _read_quota(clients: Clients, name: str) -> int:
    return int(json.loads(call(clients.admin.bucket_quota_get, name)).get("quota") or 0)


def _set_quota(clients: Clients, name: str, value: int) -> None:
    call(clients.admin.bucket_quota_set, name, value)


def _read_lifecycle(clients: Clients, name: str) -> Rows:
    config = call(clients.s3.get_bucket_lifecycle, name)
    return sorted((rule_row(rule) for rule in config.rules), key=lambda rule: str(rule["id"])) if config else []


def rule_row(rule: Rule) -> dict[str, t.Any]:
    """A rule of the server in the module's form. What the module cannot say is kept as text, so that it differs."""
    chosen, old = rule.expiration, rule.noncurrent_version_expiration
    row = {
        "id": rule.rule_id,
        "enabled": rule.status == "Enabled",
        "prefix": (rule.rule_filter.prefix if rule.rule_filter else "") or "",
        "expire_days": chosen.days if chosen else None,
        "expire_delete_markers": bool(chosen and chosen.expired_object_delete_marker),
        "noncurrent_days": old.noncurrent_days if old else None,
        "noncurrent_keep": old.newer_noncurrent_versions if old else None,
        "others": _others(rule),
    }
    return {key: value for key, value in row.items() if value is not None}


def _others(rule: Rule) -> str | None:
    found: list[t.Any] = [rule.transition, rule.noncurrent_version_transition, rule.expiration and rule.expiration.date]
    found += [rule.rule_filter.tag, rule.rule_filter.and_operator] if rule.rule_filter else []
    return "; ".join(str(item) for item in found if item) or None


def _set_lifecycle(clients: Clients, name: str, rows: Rows) -> None:
    if rows:
        call(clients.s3.set_bucket_lifecycle, name, LifecycleConfig([client_rule(row) for row in rows]))
    else:
        call(clients.s3.delete_bucket_lifecycle, name)


def client_rule(row: Params) -> Rule:
    """A rule of the module in the client's form."""
    marks = row["expire_delete_markers"] or None
    expires = row.get("expire_days") or marks
    expiration = Expiration(days=row.get("expire_days"), expired_object_delete_marker=marks)
    old = NoncurrentVersionExpiration(row.get("noncurrent_days"), row.get("noncurrent_keep"))
    return Rule(
        "Enabled" if row["enabled"] else "Disabled",
        rule_filter=Filter(prefix=row["prefix"]),
        rule_id=row["id"],
        expiration=expiration if expires else None,
        noncurrent_version_expiration=old if row.get("noncurrent_days") or row.get("noncurrent_keep") else None,
    )


READERS: dict[str, t.Callable[[Clients, str], t.Any]] = {
    "object_lock": lambda clients, name: lock_of(clients, name) is not None,
    "versioning": _read_versioning,
    "quota": _read_quota,
    "retention": _read_retention,
    "lifecycle": _read_lifecycle,
}
SETTERS: dict[str, t.Callable[[Clients, str, t.Any], None]] = {
    "versioning": _set_versioning,
    "quota": _set_quota,
    "retention": _set_retention,
    "lifecycle": _set_lifecycle,
}
