# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MinIO modules against the MinIO of this checkout: every module in all its states, and what its work is worth."""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import sys
import typing as t

import pytest
from e2e.cluster import Cluster, pod
from e2e.conftest import PULL_SECRET, make_namespace
from minio import Minio
from minio.commonconfig import Filter, Tag
from minio.error import S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule

from ansible_collections.mlops.platform.plugins.modules import minio_application, minio_bucket, minio_policy, minio_user

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Result = dict[str, t.Any]
ROOT_SECRET = secrets.token_hex(16)


class Server(t.NamedTuple):
    """A MinIO: how the modules reach it, and where it listens for everybody else."""

    connection: dict[str, t.Any]
    address: str

    def run(self, plugin: t.Any, check: bool = False, **params: t.Any) -> Result:
        """Run a module as Ansible does, in a process of its own."""
        arguments = {**self.connection, **params, "_ansible_check_mode": check, "_ansible_diff": True}
        done = subprocess.run(
            [sys.executable, plugin.__file__],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        return t.cast("Result", json.loads(done.stdout or done.stderr))

    def sign_in(self, access_key: str = "root", secret_key: str = ROOT_SECRET) -> Minio:
        """The client of a user."""
        return Minio(self.address, access_key, secret_key, secure=False, region="us-east-1")


@pytest.fixture(scope="module")
def module_namespace(cluster: Cluster) -> Iterator[str]:
    """One namespace for all tests of this file."""
    name = f"test-{secrets.token_hex(4)}"
    make_namespace(cluster, name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=true")


@pytest.fixture(scope="module")
def server(cluster: Cluster, image: t.Callable[[str], str], module_namespace: str) -> Iterator[Server]:
    """A MinIO of the tests' own, on a folder that goes with its pod."""
    environment = [{"name": "MINIO_ROOT_USER", "value": "root"}, {"name": "MINIO_ROOT_PASSWORD", "value": ROOT_SECRET}]
    wanted = pod("minio", image("minio"), ["minio", "server", "/data"], uid=1000, pull_secret=PULL_SECRET)
    container = wanted["spec"]["containers"][0]
    container |= {"env": environment, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    container["readinessProbe"] = {"httpGet": {"path": "/minio/health/ready", "port": 9000}, "periodSeconds": 1}
    wanted["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    spec = {"selector": {"app": "minio"}, "ports": [{"port": 9000}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "minio"}, "spec": spec}
    cluster.apply(*({**o, "metadata": {**o["metadata"], "namespace": module_namespace}} for o in (wanted, service)))
    cluster.wait("condition=Ready", "pod/minio", module_namespace)
    connection = {
        "kubeconfig": cluster.facts["kubeconfig"],
        "allow_any_server": True,
        "namespace": module_namespace,
        "service": "minio",
        "port": 9000,
        "access_key": "root",
        "secret_key": ROOT_SECRET,
    }
    with cluster.forwarded(module_namespace, "pod/minio", 9000) as address:
        yield Server(connection, address)


def cycle(server: Server, plugin: t.Any, option: str, *states: dict[str, t.Any]) -> None:
    """Create, change, delete; each in check mode, for real, again in check mode, again for real."""
    for kind, state in zip(("created", "configured", "removed"), states, strict=True):
        planned = server.run(plugin, check=True, **{option: [state]})
        done = server.run(plugin, **{option: [state]})
        assert planned["changed"], planned
        assert done["changed"], done
        assert [planned[kind], planned["not_verified"]] == [done[kind], []] != [[], []]
        assert planned["diff"] == done["diff"]
        for again in (True, False):
            assert not server.run(plugin, check=again, **{option: [state]})["changed"]


def unique(word: str) -> str:
    """A name that no other test has."""
    return f"{word}-{secrets.token_hex(4)}"


def allow(bucket: str, *actions: str) -> dict[str, t.Any]:
    """A policy for one bucket and what is in it."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [*actions], "Resource": resources}]}


def test_a_bucket_in_all_its_states(server: Server) -> None:
    name = unique("bucket")
    rule = {"id": "old", "noncurrent_days": 3, "noncurrent_keep": 2}
    cycle(
        server,
        minio_bucket,
        "buckets",
        {"name": name, "versioning": True, "quota": "1Gi", "lifecycle": [rule, {"id": "tmp", "expire_days": 1}]},
        {"name": name, "versioning": False, "quota": "2Gi", "lifecycle": [{**rule, "noncurrent_days": 4}]},
        {"name": name, "state": "absent"},
    )


def test_a_locked_bucket_in_all_its_states(server: Server) -> None:
    name = unique("locked")
    cycle(
        server,
        minio_bucket,
        "buckets",
        {"name": name, "object_lock": True, "retention": {"mode": "governance", "days": 1}},
        {"name": name, "object_lock": True, "retention": {}},
        {"name": name, "state": "absent"},
    )


def test_a_policy_in_all_its_states(server: Server) -> None:
    name = unique("policy")
    condition = {"StringLike": {"s3:prefix": "a/*"}, "Bool": {"aws:SecureTransport": True}}
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b", "Condition": condition}
    cycle(
        server,
        minio_policy,
        "policies",
        {"name": name, "policy": allow("b", "s3:PutObject", "s3:GetObject")},
        {"name": name, "policy": {"Version": "2012-10-17", "Statement": [listing]}},
        {"name": name, "state": "absent"},
    )


def test_a_user_in_all_its_states(server: Server) -> None:
    name = unique("user")
    cycle(
        server,
        minio_user,
        "users",
        {"access_key": name, "secret_key": "first-secret", "policies": ["readonly"]},
        {"access_key": name, "secret_key": "second-secret", "policies": ["readwrite", "diagnostics"]},
        {"access_key": name, "state": "absent"},
    )


class Denied(t.NamedTuple):
    """The code of S3's refusal."""

    code: str | None


def attempt(action: t.Callable[..., t.Any], *args: t.Any) -> t.Any:
    """What the action returns, or how it was denied."""
    try:
        return action(*args)
    except S3Error as error:
        return Denied(error.code)


def put(client: Minio, bucket: str, content: bytes, name: str = "object") -> t.Any:
    """Write one object."""
    return attempt(client.put_object, bucket, name, io.BytesIO(content), len(content))


def get(client: Minio, bucket: str) -> t.Any:
    """Read the object back."""
    found = attempt(client.get_object, bucket, "object")
    return found if isinstance(found, Denied) else found.read()


@pytest.fixture
def application(server: Server) -> t.Callable[[str], tuple[str, Minio]]:
    """Makes an application with a bucket, a policy and a user of its own."""

    def make(word: str) -> tuple[str, Minio]:
        name = unique(word)
        server.run(minio_bucket, buckets=[{"name": name}])
        policy = allow(name, "s3:GetObject", "s3:PutObject", "s3:ListBucket")
        server.run(minio_policy, policies=[{"name": name, "policy": policy}])
        done = server.run(minio_user, users=[{"access_key": name, "secret_key": "its-secret", "policies": [name]}])
        assert done["created"] == [name], done
        return name, server.sign_in(name, "its-secret")

    return make


Application = t.Callable[[str], tuple[str, Minio]]


def test_an_object_comes_back_and_another_user_is_denied(application: Application) -> None:
    (bucket, owner), (_, stranger) = application("owner"), application("stranger")
    put(owner, bucket, b"content")
    assert get(owner, bucket) == b"content"
    assert get(stranger, bucket) == put(stranger, bucket, b"other") == Denied("AccessDenied")


def test_a_new_secret_is_in_force_at_once_and_the_old_one_is_not(server: Server, application: Application) -> None:
    name, client = application("rotated")
    put(client, name, b"content")
    done = server.run(minio_user, users=[{"access_key": name, "secret_key": "its-next-secret"}])
    assert done["configured"] == [name]
    assert "secret" not in json.dumps(done["diff"]).replace('"secret":', "")
    assert get(client, name) == Denied("SignatureDoesNotMatch")
    assert get(server.sign_in(name, "its-next-secret"), name) == b"content"
    kept = {"access_key": name, "secret_key": "yet-another-secret", "update_secret": "on_create"}
    assert not server.run(minio_user, users=[kept])["changed"]
    assert server.run(minio_user, users=[{**kept, "update_secret": "always"}])["changed"]
    assert get(server.sign_in(name, "yet-another-secret"), name) == b"content"


def test_a_disabled_user_is_out_until_it_is_enabled(server: Server, application: Application) -> None:
    name, client = application("disabled")
    user = {"access_key": name, "secret_key": "its-secret", "policies": [name]}
    assert server.run(minio_user, users=[{**user, "enabled": False}])["configured"] == [name]
    assert put(client, name, b"content") == Denied("InvalidAccessKeyId")
    assert not server.run(minio_user, users=[{**user, "enabled": False}])["changed"]
    refused = server.run(minio_user, users=[{**user, "enabled": False, "policies": []}])
    assert "a disabled user's policies cannot change" in refused["msg"]
    assert server.run(minio_user, users=[user])["configured"] == [name]
    put(client, name, b"content")
    assert get(client, name) == b"content"


def test_drift_is_found_and_repaired(server: Server, application: Application) -> None:
    name, client = application("drift")
    root = server.sign_in()
    foreign = Rule("Enabled", Filter(tag=Tag("k", "v")), "old", expiration=Expiration(days=1))
    root.set_bucket_lifecycle(name, LifecycleConfig([foreign]))
    user = {"access_key": name, "secret_key": "its-secret", "policies": [name]}
    server.run(minio_user, users=[{**user, "secret_key": "changed-by-hand", "policies": ["readonly"]}])
    rule = {"id": "old", "expire_days": 1}
    assert server.run(minio_bucket, buckets=[{"name": name, "lifecycle": [rule]}])["configured"] == [name]
    assert server.run(minio_user, users=[user])["configured"] == [name]
    put(client, name, b"content")
    assert get(client, name) == b"content"


def test_a_quota_holds(server: Server, application: Application) -> None:
    name, client = application("quota")
    server.run(minio_bucket, buckets=[{"name": name, "quota": "64Ki"}])
    assert put(client, name, b"x" * 100_000) == Denied("XMinioAdminBucketQuotaExceeded")
    server.run(minio_bucket, buckets=[{"name": name, "quota": "0"}])
    put(client, name, b"x" * 100_000)
    assert len(get(client, name)) == 100_000


def test_a_locked_object_stays(server: Server) -> None:
    name = unique("keep")
    retention = {"mode": "compliance", "days": 1}
    server.run(minio_bucket, buckets=[{"name": name, "object_lock": True, "retention": retention}])
    root = server.sign_in()
    version = put(root, name, b"content").version_id
    assert attempt(root.remove_object, name, "object", version) == Denied("InvalidRequest")
    refused = server.run(minio_bucket, buckets=[{"name": name, "state": "absent"}])
    assert f"buckets.{name}.state: it is not empty (it has 'object')" in refused["msg"]


def test_a_list_with_one_mistake_changes_nothing(server: Server) -> None:
    good = unique("good")
    for plugin, params, message in (
        (minio_bucket, {"buckets": [{"name": good}, {"name": "Bad_Name"}]}, "write only a-z"),
        (minio_bucket, {"buckets": [{"name": good}, {"name": good}]}, "is given twice"),
        (minio_bucket, {"buckets": [{"name": good, "retention": {"mode": "governance", "days": 1}}]}, "object_lock"),
        (minio_user, {"users": [{"access_key": good, "secret_key": "short"}]}, "at least 8"),
        (minio_user, {"users": [{"access_key": good}]}, "at least 8"),
        (minio_user, {"users": [{"access_key": "root", "secret_key": "long-enough"}]}, "administrator"),
        (
            minio_user,
            {"users": [{"access_key": good, "secret_key": "long-enough", "policies": ["nobody-knows"]}]},
            "no policy 'nobody-knows' exists",
        ),
        (minio_policy, {"policies": [{"name": good, "policy": allow(good, "s3:*")}, {"name": "bad"}]}, "it is missing"),
    ):
        for check in (True, False):
            if check and "nobody-knows" in str(params):  # an earlier task of a check may only have planned the policy
                continue
            refused = server.run(plugin, check=check, **t.cast("dict[str, t.Any]", params))
            assert refused.get("failed"), refused
            assert message in refused["msg"]
    assert not server.sign_in().bucket_exists(good)
    for plugin, params in (
        (minio_policy, {"policies": [{"name": good, "state": "absent"}]}),
        (minio_user, {"users": [{"access_key": good, "state": "absent"}]}),
    ):
        assert not server.run(plugin, **t.cast("dict[str, t.Any]", params))["changed"]


def test_the_servers_own_refusal_is_one_readable_sentence(server: Server) -> None:
    unknown = server.run(minio_policy, policies=[{"name": unique("odd"), "policy": allow("b", "s3:Fly")}])
    assert unknown["msg"] == "MinIO: unsupported action 's3:Fly' (XMinioMalformedIAMPolicy)"


def test_a_policy_that_is_in_use_stays(server: Server, application: Application) -> None:
    name, _ = application("used")
    refused = server.run(minio_policy, policies=[{"name": name, "state": "absent"}])
    assert "in use" in refused["msg"]


def test_a_wrong_administrator_is_refused_and_only_planned_in_check_mode(server: Server) -> None:
    stranger = server._replace(connection={**server.connection, "secret_key": "wrong-secret"})
    refused = stranger.run(minio_bucket, buckets=[{"name": "never"}])
    assert "SignatureDoesNotMatch" in refused["msg"]
    planned = stranger.run(minio_bucket, check=True, buckets=[{"name": "never"}])
    assert planned["created"] == planned["not_verified"] == ["never"]
    assert "could not be verified" in json.dumps(planned["warnings"])


def test_a_server_that_is_not_there_yet_is_planned(server: Server) -> None:
    absent = server._replace(connection={**server.connection, "service": "not-yet"})
    assert "not-yet" in absent.run(minio_bucket, buckets=[{"name": "never"}])["msg"]
    planned = absent.run(minio_bucket, check=True, buckets=[{"name": "never"}])
    assert planned["created"] == planned["not_verified"] == ["never"]


def test_applications_in_all_their_states(server: Server) -> None:
    """Two applications share a bucket: one writes, the other reads a part of it."""
    writer, reader = unique("writer"), unique("reader")
    rows = [
        {"name": writer, "secret_key": "writers-secret", "quota": "1Mi"},
        {"name": reader, "secret_key": "readers-secret", "bucket": writer, "prefix": "public/", "access": "read"},
    ]
    named = [f"bucket {writer}", f"policy {writer}", f"policy {reader}", f"user {writer}", f"user {reader}"]
    planned = server.run(minio_application, check=True, applications=rows)
    done = server.run(minio_application, applications=rows)
    assert planned["created"] == done["created"] == named
    assert planned["diff"] == done["diff"]
    assert not server.run(minio_application, check=True, applications=rows)["changed"]
    assert not server.run(minio_application, applications=rows)["changed"]

    owner, guest = server.sign_in(writer, "writers-secret"), server.sign_in(reader, "readers-secret")
    put(owner, writer, b"secret"), put(owner, writer, b"public", "public/object")
    assert get(guest, writer) == put(guest, writer, b"x", "public/object") == Denied("AccessDenied")
    assert guest.get_object(writer, "public/object").read() == b"public"
    assert [found.object_name for found in guest.list_objects(writer, prefix="public/")] == ["public/object"]

    rows[1] |= {"prefix": "open/", "secret_key": "readers-next-secret"}
    assert server.run(minio_application, applications=rows)["configured"] == [f"policy {reader}", f"user {reader}"]
    gone = [{**row, "state": "absent"} for row in rows]
    removed = server.run(minio_application, applications=gone)["removed"]
    assert sorted(removed) == sorted(named[1:])
    assert not server.run(minio_application, applications=gone)["changed"]
    assert get(server.sign_in(), writer) == b"secret"


def test_a_mistake_in_an_application_names_it(server: Server) -> None:
    good = {"name": unique("app"), "secret_key": "long-enough"}
    for changed, message in (
        ({"secret_key": "short"}, f"applications.{good['name']}.secret_key: the secret has 5 characters"),
        ({"bucket": "No_Bucket"}, f"applications.{good['name']}.bucket: S3 refuses the bucket name 'No_Bucket'"),
        ({"quota": "much"}, f"applications.{good['name']}.quota: 'much' is not a size"),
        ({"prefix": "*"}, f"applications.{good['name']}.prefix: '*'"),
    ):
        refused = server.run(minio_application, applications=[{**good, **changed}])
        assert refused["msg"].startswith(message), refused
    assert not server.sign_in().bucket_exists(good["name"])
