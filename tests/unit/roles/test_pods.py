# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of all components: each container is as restricted as the next, and takes what the uniform variables say."""

from __future__ import annotations

import typing as t

import pytest
from rendering import Object, objects, objects_of

# The containers of each role's pods, with metrics; one that is new here is looked at like the others.
CONTAINERS = {
    "postgresql": [["postgresql", "metrics"]],
    "redis": [["redis", "metrics"]],
    "minio": [["minio"]],
    "mlflow": [["mlflow", "metrics"], ["migrate"]],
}
TOLERATION = {"key": "dedicated", "operator": "Equal", "value": "mlops", "effect": "NoSchedule"}
# What a user may say of the pods of each role, without the role's name.
SAID: dict[str, t.Any] = {
    "resources": {"requests": {"cpu": "70m", "memory": "70Mi"}, "limits": {"memory": "77Mi", "example.com/gpu": "1"}},
    "priority_class": "important",
    "node_selector": {"disk": "fast"},
    "tolerations": [TOLERATION],
    "pod_labels": {"team": "risk"},
    "pod_annotations": {"example.com/note": "hello"},
}


def pods(role: str, **variables: t.Any) -> list[Object]:
    """The templates of all pods of a role, those of its Job too."""
    given = {f"{role}_metrics": {"enabled": True}, **variables}
    found = objects(role, **given)
    if role == "mlflow":
        found += objects_of(role, "__mlflow_database_objects", "database", **given)
    return [template for item in found for template in templates(item)]


def templates(part: t.Any) -> t.Iterator[Object]:
    """The pods in an object, wherever they lie: a CronJob has them deeper than a Deployment."""
    if isinstance(part, dict):
        if "containers" in (part.get("spec") or {}):
            yield part
        for value in part.values():
            yield from templates(value)


def containers(pod: Object) -> list[Object]:
    """All of a pod, also those that run before the others."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def lacks(pod: Object, container: Object) -> list[str]:
    """What a container has not that all must have."""
    own = container.get("securityContext") or {}
    security = {**(pod["spec"].get("securityContext") or {}), **own}
    resources = container.get("resources") or {}
    wanted = {
        "runAsNonRoot": security.get("runAsNonRoot") is True,
        "no user 0": security.get("runAsUser") != 0,
        "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
        "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
        "limits.memory": bool((resources.get("limits") or {}).get("memory")),
        "requests": {"cpu", "memory"} <= set(resources.get("requests") or {}),
    }
    return [f"{container['name']}: {name}" for name, right in wanted.items() if not right]


@pytest.mark.parametrize("role", CONTAINERS)
def test_every_container_is_restricted_and_bounded(role: str) -> None:
    found = pods(role)
    assert [[item["name"] for item in containers(pod)] for pod in found] == CONTAINERS[role]
    assert [fault for pod in found for item in containers(pod) for fault in lacks(pod, item)] == []


@pytest.mark.parametrize("role", CONTAINERS)
def test_what_the_user_says_of_pods_reaches_each_of_them(role: str) -> None:
    for pod in pods(role, **{f"{role}_{name}": value for name, value in SAID.items()}):
        spec, metadata = pod["spec"], pod["metadata"]
        assert spec["containers"][0]["resources"] == SAID["resources"]
        assert spec["priorityClassName"] == SAID["priority_class"]
        assert spec["nodeSelector"] == SAID["node_selector"]
        assert spec["tolerations"] == SAID["tolerations"]
        assert metadata["labels"].items() >= SAID["pod_labels"].items()
        assert metadata["annotations"].items() >= SAID["pod_annotations"].items()
