"""A user with the rights that preflight asks for, and no others, can do all that the roles do."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from e2e.cluster import Cluster, Manifest
from e2e.platform import SHARED, Platform, own_platform
from e2e.test_preflight import preflight

from ansible_collections.mlops.platform.plugins.module_utils._preflight.permissions import Right, wanted

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# In the lane of test_preflight, whose playbook it runs.
pytestmark = pytest.mark.platform

RBAC = "rbac.authorization.k8s.io"
DENIED = ("missing permission", "is forbidden", "403")


@pytest.fixture
def platform(cluster: Cluster) -> Iterator[Platform]:
    """A platform of redis alone; its ground is made by an administrator."""
    with own_platform(cluster, "redis") as made:
        yield made


@pytest.fixture
def user(cluster: Cluster, namespace: str, platform: Platform, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The connection of a ServiceAccount that may do what preflight lists."""
    cluster.kubectl("create", "serviceaccount", "operator", f"--namespace={namespace}")
    granted = wanted([platform.namespace], ["redis"])
    cluster.apply(
        *grant(namespace, "", [right for right in granted if not right.namespace]),
        *grant(namespace, platform.namespace, [right for right in granted if right.namespace]),
    )
    token = cluster.kubectl("create", "token", "operator", f"--namespace={namespace}").strip()
    ca_cert = tmp_path / "ca.crt"
    ca_cert.write_text(cluster.get("configmap", "kube-root-ca.crt", f"--namespace={namespace}")["data"]["ca.crt"])
    server = {"cluster_kubeconfig": "", "cluster_host": cluster.facts["server"]}
    yield {**server, "cluster_api_key": token, "cluster_ca_cert": str(ca_cert)}
    cluster.kubectl("delete", "clusterrolebinding,clusterrole", f"{namespace}-operator")


def grant(account: str, namespace: str, rights: t.Iterable[Right]) -> list[Manifest]:
    """A role with exactly these rights, and its binding; without a namespace for the whole cluster."""
    kind = "Role" if namespace else "ClusterRole"
    meta = {"name": f"{account}-operator", **({"namespace": namespace} if namespace else {})}
    rules = [{"apiGroups": [one.group], "resources": [one.resource], "verbs": [one.verb]} for one in rights]
    subject = {"kind": "ServiceAccount", "name": "operator", "namespace": account}
    reference = {"apiGroup": RBAC, "kind": kind, "name": meta["name"]}
    head = {"apiVersion": f"{RBAC}/v1", "metadata": meta}
    binding = {**head, "kind": f"{kind}Binding", "roleRef": reference, "subjects": [subject]}
    return [{**head, "kind": kind, "rules": rules}, binding]


def test_what_preflight_lists_is_enough(
    cluster: Cluster, namespace: str, platform: Platform, user: dict[str, str], tmp_path: Path
) -> None:
    account = f"--as=system:serviceaccount:{namespace}:operator"
    assert "no" in cluster.kubectl("auth", "can-i", "get", "secrets", "--namespace=kube-system", account, check=False)
    only = {"preflight_roles": ["redis"], "preflight_namespaces": [platform.namespace]}
    found = preflight(cluster, tmp_path, **only, **user)[1]
    assert found["permissions"]["status"] == found["images"]["status"] == "ok"

    said = [platform.roles("cluster_base", "redis", **user)]
    said.append(platform.roles("cluster_base", "redis", redis_maxmemory="96mb", **user))
    assert "changed=0" not in said[-1].split("PLAY RECAP")[1]
    said.append(platform.roles("redis", redis_state="absent", **user))
    said.append(platform.play(f"{SHARED}/remove_namespace.yml", **user))
    assert [word for word in DENIED for text in said if word in text] == []
    assert cluster.kubectl("get", "namespace", platform.namespace, "--ignore-not-found") == ""


def test_a_right_that_is_taken_away_is_the_one_that_preflight_names(
    cluster: Cluster, namespace: str, platform: Platform, user: dict[str, str], tmp_path: Path
) -> None:
    rights = [right for right in wanted([platform.namespace], ["redis"]) if right.namespace]
    less = [right for right in rights if (right.resource, right.verb) != ("configmaps", "update")]
    cluster.apply(*grant(namespace, platform.namespace, less))
    only = {"preflight_roles": ["redis"], "preflight_namespaces": [platform.namespace]}
    found = preflight(cluster, tmp_path, **only, **user)[1]["permissions"]
    assert f"may not: update configmaps in {platform.namespace}; grant it" in found["message"]
