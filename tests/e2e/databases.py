"""The servers that keep data, as tests use them: what they write, how it is read back, and the states of their pods."""

from __future__ import annotations

import base64
import contextlib
import datetime
import io
import json
import subprocess
import threading
import typing as t

import urllib3
from minio import Minio

from ansible_collections.mlops.platform.plugins.module_utils._lab import pki

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from e2e.platform import Platform

# Each of them is alone on its folder by a lease.
COMPONENTS = ("postgresql", "redis", "minio")
BUCKET = "kept"


def leases(seconds: int) -> dict[str, int]:
    """The variables that make all leases last so long."""
    return {f"{component}_lease_seconds": seconds for component in COMPONENTS}


def psql(platform: Platform, statement: str) -> str:
    """The answer of PostgreSQL over the local socket."""
    return platform.cluster.execute(platform.namespace, "postgresql-0", "psql", "-AtqX", "-c", statement).strip()


def redis(platform: Platform, *words: str) -> str:
    """The answer of Redis to its administrator."""
    sign_in = 'REDISCLI_AUTH=$(cat /run/secrets/redis/password) exec redis-cli "$@"'
    return platform.cluster.execute(platform.namespace, "redis-0", "sh", "-c", sign_in, "sh", *words).strip()


def secret(platform: Platform, name: str) -> dict[str, str]:
    """What a Secret of the platform holds."""
    data = platform.cluster.get("secret", name, f"--namespace={platform.namespace}").get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def node_port(platform: Platform, component: str) -> int:
    """The port of the nodes that leads to a component."""
    service = platform.cluster.get("service", f"{component}-external", f"--namespace={platform.namespace}")
    return int(service["spec"]["ports"][0]["nodePort"])


@contextlib.contextmanager
def minio(platform: Platform) -> Iterator[Minio]:
    """MinIO for its administrator."""
    root = secret(platform, "minio")
    # One attempt: what the server refuses is seen as it says it.
    once = urllib3.PoolManager(retries=False, timeout=60)
    with platform.cluster.forwarded(platform.namespace, "pod/minio-0", 9000) as address:
        login = (root["root_user"], root["root_password"])
        yield Minio(address, *login, secure=False, region="us-east-1", http_client=once)


def put(client: Minio, name: str, content: bytes) -> None:
    """Store an object; the bucket is made where it is missing."""
    if not client.bucket_exists(BUCKET):
        client.make_bucket(BUCKET)
    client.put_object(BUCKET, name, io.BytesIO(content), len(content))


def content(client: Minio, name: str, bucket: str = BUCKET) -> bytes:
    """Read an object."""
    answer = client.get_object(bucket, name)
    try:
        return t.cast("bytes", answer.read())
    finally:
        answer.close()
        answer.release_conn()


def write(platform: Platform) -> None:
    """Something that must not get lost."""
    psql(platform, "CREATE TABLE IF NOT EXISTS kept (answer int); TRUNCATE kept; INSERT INTO kept VALUES (42)")
    redis(platform, "set", "kept", "42")
    redis(platform, "waitaof", "1", "0", "5000")
    with minio(platform) as client:
        put(client, "answer", b"42")


def assert_kept(platform: Platform) -> None:
    """All of it is there."""
    assert (psql(platform, "SELECT answer FROM kept"), redis(platform, "get", "kept")) == ("42", "42")
    with minio(platform) as client:
        assert content(client, "answer") == b"42"


def ready(platform: Platform, component: str, condition: str = "condition=Ready", timeout: int = 240) -> None:
    """Wait for a component's pod."""
    platform.cluster.wait(condition, f"pod/{component}-0", platform.namespace, timeout)


def await_words(platform: Platform, component: str, words: str, timeout: float = 240) -> None:
    """Follow the log of a component's pod until it has these words."""
    pod = (f"{component}-0", f"--namespace={platform.namespace}")
    with platform.cluster.popen("logs", "--follow", *pod, stdout=subprocess.PIPE) as process:
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        try:
            assert any(words in line for line in process.stdout or ()), f"{component} did not say: {words}"
        finally:
            timer.cancel()
            process.kill()


def next_restart(platform: Platform, component: str) -> str:
    """The condition that a pod's container has started once more than until now."""
    count = platform.pod(f"{component}-0")["status"]["containerStatuses"][0]["restartCount"]
    return f"jsonpath={{.status.containerStatuses[0].restartCount}}={count + 1}"


def delete(platform: Platform, component: str, *options: str) -> None:
    """Delete a component's pod, and wait until another one took its place and is ready."""
    name = f"{component}-0"
    old = platform.pod(name)["metadata"]["uid"]
    platform.cluster.kubectl("delete", "pod", name, f"--namespace={platform.namespace}", *options)
    ready(platform, component, "create")
    ready(platform, component)
    assert platform.pod(name)["metadata"]["uid"] != old


# What may be seen, of the keys of the platform's Secrets.
PUBLIC = {"username", "uri", "host", "port", "database", "endpoint", "bucket", "region", "access_key", "root_user"}
CERTIFICATES = {"tls.crt", "ca.crt"}


def hidden(platform: Platform) -> set[str]:
    """Every value of the platform's Secrets that nobody may see, as it is and as the API shows it."""
    found = platform.cluster.get("secrets", f"--namespace={platform.namespace}")["items"]
    encoded = {
        value
        for item in found
        if item["type"] == "Opaque"
        for key, value in (item.get("data") or {}).items()
        if value and key not in PUBLIC | CERTIFICATES
    }
    plain = {value: base64.b64decode(value).decode() for value in encoded}
    # Where objects lie is no secret; the address of a database has its password in it.
    return {form for value, text in plain.items() if not text.startswith("s3://") for form in (value, text)}


def assert_hidden(platform: Platform, values: set[str], shown: str) -> None:
    """Neither what was printed nor an object that is no Secret holds one of the values."""
    kinds = "statefulsets,deployments,jobs,configmaps,pods"
    objects = json.dumps(platform.cluster.get(kinds, f"--namespace={platform.namespace}"))
    assert len(values) > 1
    # The values themselves are not in the message of a failure.
    assert sum(value in shown or json.dumps(value)[1:-1] in shown for value in values) == 0
    assert sum(json.dumps(value)[1:-1] in objects for value in values) == 0


def certificate(platform: Platform, folder: Path, *names: str) -> Path:
    """A certificate for the node's address and some names in the Secret `own-tls`; gives the file to verify it with."""
    now = datetime.datetime.now(datetime.timezone.utc)
    authority, authority_key = pki.new_ca("e2e", now)
    leaf = pki.Leaf("server", "server", None, (platform.cluster.facts["address"], *names))
    made, key = pki.new_leaf(leaf, authority, authority_key, now)
    data = {"tls.crt": made.decode(), "tls.key": key.decode(), "ca.crt": authority.decode()}
    meta = {"name": "own-tls", "namespace": platform.namespace}
    platform.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data})
    file = folder / "ca.crt"
    file.write_bytes(authority)
    return file
