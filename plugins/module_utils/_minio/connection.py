# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The way to a MinIO server and the clients for it."""

from __future__ import annotations

import json
import ssl
import typing as t
from urllib.parse import urlsplit

from . import MinioError, NotThereError

try:
    import urllib3
    from minio import Minio
    from minio.credentials import StaticProvider
    from minio.error import MinioAdminException, MinioException, S3Error
    from minio.minioadmin import MinioAdmin

    HAS_MINIO = True
except ImportError:
    HAS_MINIO = False

Params = t.Mapping[str, t.Any]

# The server does not know who asks: in check mode a new password may not be there yet.
UNKNOWN_ADMINISTRATOR = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied")
NOT_THERE = ("NoSuchBucket", "XMinioAdminNoSuchUser", "XMinioAdminNoSuchPolicy", "NoSuchLifecycleConfiguration")
CONNECT_TIMEOUT, READ_TIMEOUT = 10, 60


class RefusedError(MinioError):
    """The server answered with an error; code is its short name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"MinIO: {message} ({code})")
        self.code = code


class Clients(t.NamedTuple):
    """Who signs in, the S3 client, the administration client, and a way to sign in as somebody else."""

    administrator: str
    s3: Minio
    admin: MinioAdmin
    sign_in: t.Callable[[str, str], Minio]


class Address(t.NamedTuple):
    """Where the server listens: host and port, whether it speaks TLS, and whether its certificate is checked."""

    host: str
    secure: bool
    check: bool = True


def address(endpoint: str) -> Address:
    """The address that a URL or host:port names."""
    parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise MinioError(f"endpoint: '{endpoint}' is not an address; write http://host:port or https://host:port")
    return Address(parts.netloc.rpartition("@")[2], parts.scheme == "https")


def clients(where: Address, params: Params) -> Clients:
    """The clients of the administrator that the parameters name; they share their connections."""
    pool = _pool(where, params.get("ca_file"))
    access_key, secret_key = params["access_key"], params["secret_key"]

    def sign_in(name: str, secret: str) -> Minio:
        return Minio(where.host, name, secret, secure=where.secure, region=params["region"], http_client=pool)

    admin = MinioAdmin(
        endpoint=where.host,
        credentials=StaticProvider(access_key, secret_key),
        secure=where.secure,
        http_client=pool,
    )
    return Clients(access_key, sign_in(access_key, secret_key), admin, sign_in)


def _pool(where: Address, ca_file: str | None) -> urllib3.PoolManager:
    """Connections without the environment's proxies; a server that is starting is asked again."""
    retries = urllib3.Retry(total=4, connect=2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504])
    options: dict[str, t.Any] = {
        "timeout": urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
        "retries": retries,
    }
    if where.secure:
        options["ssl_context"] = _tls(where.check, ca_file)
    return urllib3.PoolManager(**options)


def _tls(check: bool, ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise MinioError(f"ca_file: {ca_file} cannot be used: {error}") from error
    if not check:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


Result = t.TypeVar("Result")


def call(action: t.Callable[..., Result], *args: t.Any, **keywords: t.Any) -> Result:
    """Call the server; an error is a MinioError with the server's own words and without its bulk."""
    try:
        return action(*args, **keywords)
    except S3Error as error:
        raise RefusedError(str(error.code), str(error.message)) from error
    except MinioAdminException as error:
        raise RefusedError(*_admin_error(error)) from error
    except (urllib3.exceptions.HTTPError, MinioException, OSError) as error:
        raise NotThereError(f"MinIO does not answer: {_reason(error)}") from error


def maybe(action: t.Callable[..., Result], *args: t.Any) -> Result | None:
    """As call, and None for what is not there."""
    try:
        return call(action, *args)
    except RefusedError as error:
        if error.code in NOT_THERE:
            return None
        raise


def _admin_error(error: MinioAdminException) -> tuple[str, str]:
    """Code and message of the JSON that the administration answers with; the exception has no public field for it."""
    status, body = str(getattr(error, "_code", "")), str(getattr(error, "_body", ""))
    try:
        fields = json.loads(body)
        return str(fields["Code"]), str(fields["Message"])
    except (ValueError, KeyError, TypeError):
        return status, body or str(error)


def _reason(error: BaseException) -> str:
    """The innermost reason of an error that wraps others."""
    inner = getattr(error, "reason", None)
    return _reason(inner) if isinstance(inner, BaseException) else str(error)
