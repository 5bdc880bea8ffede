# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Names, sizes and policy documents: refused with the field's name before anything is sent."""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t

from . import MinioError

Json = dict[str, t.Any]

BUILT_IN_POLICIES = ("consoleAdmin", "diagnostics", "readonly", "readwrite", "writeonly")
RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
UNITS.update({"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50})
# Actions that stand without a Resource.
ADMINISTRATIVE = ("admin:", "sts:", "kms:")


def bucket_name(name: str, field: str) -> str:
    """The name, if S3 takes it."""
    reason = _bucket_fault(name)
    if reason:
        raise MinioError(f"{field}: S3 refuses the bucket name '{name}': {reason}")
    return name


def _bucket_fault(name: str) -> str | None:
    if not 3 <= len(name) <= 63:
        return f"it has {len(name)} characters; write 3 to 63"
    if not re.fullmatch(r"[a-z0-9.-]*", name):
        return "write only a-z, 0-9, '-' and '.'"
    if not re.fullmatch(r"[a-z0-9].*[a-z0-9]", name):
        return "let it begin and end with a letter or a digit"
    if re.search(r"\.\.|\.-|-\.", name):
        return "a dot must stand between letters or digits"
    if _is_address(name):
        return "it looks like an IP address; choose a word"
    for affix in (*RESERVED_PREFIXES, *RESERVED_SUFFIXES):
        if name.startswith(affix) if affix in RESERVED_PREFIXES else name.endswith(affix):
            return f"'{affix}' is reserved; choose another name"
    return "it is reserved by MinIO; choose another name" if name == "minio" else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return bool(re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", name))
    return True


def access_key(name: str, field: str) -> str:
    """The name of a user, if MinIO takes it."""
    if len(name) < 3:
        raise MinioError(f"{field}: '{name}' has {len(name)} characters; write at least 3")
    if re.search(r"[=,]", name) or name != name.strip():
        raise MinioError(f"{field}: '{name}' holds '=', ',' or a space at an end, which MinIO refuses; leave it out")
    return name


def secret_key(value: str, field: str) -> str:
    """The secret of a user, if MinIO takes it; it is never part of a message."""
    if len(value) < 8:
        raise MinioError(f"{field}: the secret has {len(value)} characters; MinIO wants at least 8")
    return value


def policy_name(name: str, field: str) -> str:
    """The name of a policy that may be managed."""
    if name in BUILT_IN_POLICIES:
        raise MinioError(f"{field}: '{name}' is built into MinIO and stays as it is; choose another name")
    if not re.fullmatch(r"[\w.@+-]{1,128}", name, re.ASCII):
        raise MinioError(f"{field}: '{name}' is not a policy name; write a-z, A-Z, 0-9 and '_.@+-' only")
    return name


def size(value: str, field: str) -> int:
    """Bytes of a size such as 50Gi."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKMGTP]i?|)", value.strip())
    unit = match[2].replace("K", "k") if match else ""
    unit = "Ki" if unit == "ki" else unit
    if not match or unit not in UNITS:
        raise MinioError(f"{field}: '{value}' is not a size; write a number with Ki, Mi, Gi or Ti, for example 50Gi")
    return int(float(match[1]) * UNITS[unit])


def policy_document(value: t.Any, field: str) -> Json:
    """The policy as a dictionary, with every statement complete."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise MinioError(f"{field}: this is not JSON: {error}") from error
    statements = value.get("Statement") if isinstance(value, dict) else None
    if not statements or not isinstance(statements, (list, dict)):
        raise MinioError(f"{field}: a policy needs a list named Statement with at least one entry")
    for number, statement in enumerate(statements if isinstance(statements, list) else [statements]):
        _check_statement(statement, f"{field}.Statement[{number}]")
    return t.cast("Json", value)


def _check_statement(statement: t.Any, field: str) -> None:
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        raise MinioError(f"{field}.Effect: write Allow or Deny")
    actions = _listed(statement.get("Action") or statement.get("NotAction"))
    if not actions:
        raise MinioError(f"{field}.Action: name at least one action, for example s3:GetObject")
    needs_resource = not all(str(action).startswith(ADMINISTRATIVE) for action in actions)
    if needs_resource and not (statement.get("Resource") or statement.get("NotResource")):
        raise MinioError(f"{field}.Resource: name at least one, for example arn:aws:s3:::bucket/*")


def bucket_policy(bucket: str, prefix: str = "", access: str = "write") -> Json:
    """The least rights for one bucket, or for the objects of it whose names begin with the prefix."""
    objects = ["s3:GetObject"]
    listing: Json = {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{bucket}"]}
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": [prefix, f"{prefix}*"]}}
    about = ["s3:GetBucketLocation"]
    if access == "write":
        objects += ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
        about.append("s3:ListBucketMultipartUploads")
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": about, "Resource": [f"arn:aws:s3:::{bucket}"]},
            listing,
            {"Effect": "Allow", "Action": objects, "Resource": [f"arn:aws:s3:::{bucket}/{prefix}*"]},
        ],
    }


def prefix(value: str, field: str) -> str:
    """The beginning of objects' names, as a policy can hold it."""
    if value.startswith("/") or re.search(r"[*?$\s]", value):
        raise MinioError(f"{field}: '{value}' begins with '/' or holds '*', '?', '$' or white space; leave it out")
    return value


def canonical_policy(document: t.Mapping[str, t.Any]) -> Json:
    """One form for policies that mean the same: lists sorted, statements without repetition, in a fixed order."""
    statements = document.get("Statement") or []
    unique = {json.dumps(canonical_statement(item), sort_keys=True) for item in _listed(statements)}
    return {
        "Version": document.get("Version") or "2012-10-17",
        "Statement": [json.loads(text) for text in sorted(unique)],
    }


def canonical_statement(statement: t.Mapping[str, t.Any]) -> Json:
    """A statement with every value a sorted list, as MinIO keeps them."""
    kept = {key: value for key, value in statement.items() if value not in (None, "", [], {})}
    for key in {"Action", "NotAction", "Resource", "NotResource"} & set(kept):
        kept[key] = sorted({re.sub(r"^\*+$", "*", str(item)) for item in _listed(kept[key])})
    if "Condition" in kept:
        kept["Condition"] = {
            function: {key: sorted(_condition_value(item) for item in _listed(values)) for key, values in keys.items()}
            for function, keys in kept["Condition"].items()
        }
    return kept


def _condition_value(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(value: t.Any) -> list[t.Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def unique_by(items: t.Sequence[Json], key: str, field: str) -> dict[str, Json]:
    """The items by name; a name that is given twice is refused."""
    found: dict[str, Json] = {}
    for number, item in enumerate(items):
        if item[key] in found:
            raise MinioError(f"{field}[{number}].{key}: '{item[key]}' is given twice; leave one out")
        found[item[key]] = item
    return found
