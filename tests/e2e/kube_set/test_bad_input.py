"""What is refused, and in which words."""

from __future__ import annotations

import re

import pytest
from e2e.kube_set.support import KEEPER, Space, writes

from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError

BAD: dict[str, tuple[str, str]] = {
    "unknown field": (
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {selector: {matchLabels: {a: b}},"
        " template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, imag: x}]}}}}",
        r'Deployment NS/x: the server refuses it: .*containers\[name="c"\]\.imag: field not declared in schema',
    ),
    "unknown field of a custom kind": (
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x.y.z},"
        " spec: {grup: z}}",
        r"\.spec\.grup: field not declared in schema",
    ),
    "unknown field of a RayService": (
        "{apiVersion: ray.io/v1, kind: RayService, metadata: {name: x}, spec: {serveConfig: x}}",
        r"RayService NS/x: the server refuses it: .*\.spec\.serveConfig: field not declared in schema",
    ),
    "wrong type": (
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: 1}}",
        r"ConfigMap NS/x: .*\.data\.a: expected string",
    ),
    "invalid value": (
        "{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{port: 99999}]}}",
        r"Service NS/x: .*spec\.ports\[0\]\.port: Invalid value: 99999",
    ),
    "invalid name": ("{apiVersion: v1, kind: ConfigMap, metadata: {name: Big}}", r"Invalid value: \"Big\""),
    "unknown kind": ("{apiVersion: v1, kind: Configmap, metadata: {name: x}}", r"unknown kind Configmap in v1"),
    "old version": (
        "{apiVersion: extensions/v1beta1, kind: Deployment, metadata: {name: x}}",
        r"Deployment is in apps/v1 on this server: correct apiVersion",
    ),
    "unknown namespace": (
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: none-such}}",
        r"its namespace none-such does not exist and is not an object of the set",
    ),
    "duplicate": (
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: keeper, namespace: NS}}",
        r"ConfigMap NS/keeper stands twice: in test\.yml, document 1 and in test\.yml, document 2",
    ),
    "empty secret key": ("{apiVersion: v1, kind: Secret, metadata: {name: x}, data: {a: '%%%'}}", r"Secret NS/x: "),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("check_mode", [True, False])
def test_bad_objects_are_refused_before_anything_changes(space: Space, case: str, check_mode: bool) -> None:
    text, message = BAD[case]
    good = "{apiVersion: v1, kind: ConfigMap, metadata: {name: keeper}}"
    with space.client.recording() as sent, pytest.raises(KubeError) as caught:
        space.apply(f"{good}\n---\n{text}\n", check_mode=check_mode)
    assert re.search(message.replace("NS", space.name), str(caught.value)), str(caught.value)
    assert not writes(sent)
    assert space.get("v1", "ConfigMap", "keeper") is None


def test_all_that_is_wrong_comes_in_one_message(space: Space) -> None:
    text = "\n---\n".join(BAD[case][0] for case in ("wrong type", "invalid value"))
    with pytest.raises(KubeError) as caught:
        space.apply(text)
    assert re.search(r"ConfigMap .*/x: .*\nService .*/x: |Service .*/x: .*\nConfigMap .*/x: ", str(caught.value))


def test_mistakes_that_no_server_needs_to_see_come_in_one_message(space: Space) -> None:
    keeper = "{apiVersion: v1, kind: ConfigMap, metadata: {name: keeper}}"
    unknown = [BAD[case][0] for case in ("unknown kind", "old version")]
    wide = "{apiVersion: v1, kind: Namespace, metadata: {name: x, namespace: y}}"
    with pytest.raises(KubeError) as caught:
        space.apply("\n---\n".join([keeper, *unknown, wide, keeper]))
    lines = str(caught.value).splitlines()
    parts = ("unknown kind Configmap", "Deployment is in apps/v1", "remove metadata.namespace", "keeper stands twice")
    assert len(lines) == len(parts)
    assert all(part in line for part, line in zip(parts, lines)), lines


def test_an_empty_set_is_refused(space: Space) -> None:
    space.present(KEEPER)
    with pytest.raises(KubeError, match="the set is empty: to remove it, say so with state absent"):
        space.apply("---\n")
    assert space.get("v1", "ConfigMap", "keeper")


def test_secrets_stay_out_of_refusals(space: Space) -> None:
    with pytest.raises(KubeError) as caught:
        space.apply(
            "{apiVersion: v1, kind: Secret, metadata: {name: x}, type: kubernetes.io/tls,"
            " stringData: {a: hush-hush-hush}}"
        )
    assert "hush-hush" not in str(caught.value)
