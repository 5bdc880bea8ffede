# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A MinIO whose volume gets full: it refuses to write, keeps what it has, and writes again when there is space."""

from __future__ import annotations

import json
import typing as t

import pytest
from e2e.cluster import Cluster, in_namespace, pod
from e2e.conftest import PULL_SECRET

SCRIPT = """
import hashlib, json, os
import boto3
from botocore.exceptions import ClientError

os.environ |= {"AWS_ACCESS_KEY_ID": "full", "AWS_SECRET_ACCESS_KEY": "full-full", "AWS_DEFAULT_REGION": "us-east-1"}
s3 = boto3.client("s3", endpoint_url="http://127.0.0.1:9000")
s3.create_bucket(Bucket="full")
confirmed, refusals = {}, []

def put(name):
    content = os.urandom(4 << 20)
    try:
        s3.put_object(Bucket="full", Key=name, Body=content)
    except ClientError as error:
        refusals.append(error.response["Error"]["Code"])
        return False
    confirmed[name] = hashlib.sha256(content).hexdigest()
    return True

# MinIO looks at the free space once a second; until then the disk itself refuses.
while "XMinioStorageFull" not in refusals and len(refusals) < 1000:
    put(f"object-{len(confirmed)}")

def wrong():
    bodies = {name: s3.get_object(Bucket="full", Key=name)["Body"].read() for name in confirmed}
    return [name for name, body in bodies.items() if hashlib.sha256(body).hexdigest() != confirmed[name]]

kept = wrong()
listed = sorted(item["Key"] for item in s3.list_objects_v2(Bucket="full")["Contents"])
for name in sorted(confirmed)[:3]:
    s3.delete_object(Bucket="full", Key=name)
    del confirmed[name]
tries = 0
while not put("after") and tries < 10000:
    tries += 1
print(json.dumps({"refusals": sorted(set(refusals)), "after": "after" in confirmed, "objects": len(listed),
                  "wrong_when_full": kept, "wrong_after": wrong()}))
"""


@pytest.mark.full
def test_a_full_volume_loses_nothing(cluster: Cluster, namespace: str, image: t.Callable[[str], str]) -> None:
    wanted = pod("minio", image("minio"), ["minio", "server", "/data"], uid=1000, pull_secret=PULL_SECRET)
    server = wanted["spec"]["containers"][0]
    server["env"] = [
        {"name": "MINIO_ROOT_USER", "value": "full"},
        {"name": "MINIO_ROOT_PASSWORD", "value": "full-full"},
    ]
    server["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    server["readinessProbe"] = {"httpGet": {"path": "/minio/health/cluster", "port": 9000}, "periodSeconds": 1}
    client = {**server, "name": "client", "image": image("mlflow"), "command": ["sleep", "3600"]}
    client = {key: client[key] for key in ("name", "image", "command", "securityContext")}
    wanted["spec"]["containers"] = [client, server]
    wanted["spec"]["volumes"] = [{"name": "data", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}}]
    cluster.apply(*in_namespace(namespace, wanted))
    cluster.wait("condition=Ready", "pod/minio", namespace)
    found = json.loads(cluster.execute(namespace, "minio", "python", "-c", SCRIPT).strip().splitlines()[-1])
    assert "XMinioStorageFull" in found["refusals"], found
    assert found["objects"] > 3
    assert found["after"], found
    assert found["wrong_when_full"] == found["wrong_after"] == []
