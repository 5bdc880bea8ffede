# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Code of one's own in the object store, for Ray's runtime_env."""

from __future__ import annotations

import hashlib
import io
import typing as t
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

from mlops_ray import RayError

from . import settings

TOP = "code"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content gives the same zip


class Store(t.Protocol):
    """What is needed of boto3's client."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> t.Any:  # noqa: N803 boto3's names
        """Store one object."""


def packed(folder: Path) -> bytes:
    """The zip of a folder, without hidden files and compiled code. Ray wants one folder at the top, and drops it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and _belongs(path.relative_to(folder)))
    if not files:
        raise RayError(f"folder: {folder} has no files; name the folder that holds the code")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(f"{TOP}/{path.relative_to(folder).as_posix()}", EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _belongs(path: Path) -> bool:
    return not any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def upload_code(folder: str | Path, name: str, *, to: str | None = None, store: Store | None = None) -> str:
    """Store the folder as a zip and give its address. It has the content's hash in its name: no two mean the same,
    and Ray, which keeps what it fetched under its address, never takes an older one.
    """
    content = packed(Path(folder))
    address = urlsplit(to or settings.needed("MLOPS_CODE_URL", settings.read().code_url))
    if address.scheme != "s3" or not address.netloc:
        raise RayError(f"MLOPS_CODE_URL: {address.geturl()!r} is not of the form s3://bucket; correct it")
    key = f"{address.path.strip('/')}/{name}-{hashlib.sha256(content).hexdigest()[:16]}.zip".lstrip("/")
    if store is None:
        import boto3

        store = t.cast("Store", boto3.client("s3"))
    store.put_object(Bucket=address.netloc, Key=key, Body=content)
    return f"s3://{address.netloc}/{key}"
