# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one application may say, and the text it stands in."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._ray import RayError, serve_config
from ansible_collections.mlops.platform.plugins.module_utils._ray.application import DEPLOYMENT_FIELDS, FIELDS, checked

GOOD = {"name": "iris", "import_path": "mlops_serving.app:build"}
OTHERS = [{"name": "model-list", "route_prefix": "/"}, {"name": "wine", "route_prefix": "/wine"}]


def deployment(**fields: t.Any) -> dict[str, t.Any]:
    return {**GOOD, "deployments": [{"name": "Model", **fields}]}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({**GOOD, "name": ""}, "name: '' is not a name"),
        ({**GOOD, "name": "a b"}, "name: 'a b' is not a name"),
        ({**GOOD, "import_path": "nothing"}, "import_path: 'nothing'"),
        ({"name": "iris"}, "import_path: ''"),
        ({**GOOD, "route_prefix": "/wine"}, "/wine already belongs to the application 'wine'"),
        ({**GOOD, "route_prefix": "/"}, "/ already belongs to the application 'model-list'"),
        ({**GOOD, "route_prefix": "iris"}, "route_prefix: 'iris' is not a path"),
        ({**GOOD, "route_prefix": "/iris/"}, "route_prefix: '/iris/' is not a path"),
        ({**GOOD, "name": "ready"}, "route_prefix: /ready is where the platform asks"),
        ({**GOOD, "route_prefix": "/-/healthz"}, "route_prefix: /-/healthz is where the platform asks"),
        ({**GOOD, "arguments": {}}, "arguments: there is no such field"),
        ({**GOOD, "args": []}, "args: .* is not of type dict"),
        ({**GOOD, "deployments": [{}]}, r"deployments\[0\].name: it is missing"),
        ({**GOOD, "deployments": [{"name": "A"}, {"name": "A"}]}, r"deployments\[1\].name: A is there twice"),
        (deployment(num_replica=2), r"deployments\[0\].num_replica: there is no such field"),
        (deployment(num_replicas="two"), "neither a number nor auto"),
        (deployment(num_replicas=True), "num_replicas: True is not of type"),
        (deployment(num_replicas=0), "to shut the application down, remove it"),
        (deployment(num_replicas=3), "need more than the service's 2 workers"),
        (deployment(max_replicas_per_node=0), "max_replicas_per_node: 0 is not from 1"),
        (deployment(ray_actor_options={"num_cpus": 0}), "replicas may land on the head"),
    ],
)
def test_a_mistake_is_named_with_its_field(entry: dict[str, t.Any], message: str) -> None:
    with pytest.raises(RayError, match=message):
        checked(entry, OTHERS, workers=2)


def test_an_application_may_keep_its_own_route() -> None:
    assert checked({**GOOD, "name": "wine", "route_prefix": "/wine"}, OTHERS, 2)["route_prefix"] == "/wine"


@pytest.mark.parametrize("route", ["/ready/now", "/readiness", "/-model"])
def test_a_route_beside_the_platforms_own_is_free(route: str) -> None:
    assert checked({**GOOD, "route_prefix": route}, OTHERS, 2)["route_prefix"] == route


def test_more_replicas_than_workers_need_more_on_one_node() -> None:
    found = checked(deployment(num_replicas=3, max_replicas_per_node=2), OTHERS, 2)
    assert found["deployments"][0]["num_replicas"] == 3


def test_null_is_the_same_as_not_given() -> None:
    found = checked({**GOOD, "route_prefix": None, "deployments": [{"name": "A", "num_replicas": None}]}, [], 1)
    assert found == {**GOOD, "route_prefix": "/iris", "deployments": [{"name": "A", "max_replicas_per_node": 1}]}


def test_checking_twice_is_checking_once() -> None:
    once = checked(deployment(num_replicas=2), OTHERS, 2)
    assert checked(once, OTHERS, 2) == once


def test_the_fields_are_those_of_ray() -> None:
    """The names as Ray 2.60 has them in ray/serve/schema.py."""
    assert {"name", "import_path", "route_prefix", "args", "runtime_env", "deployments"} <= set(FIELDS)
    assert {"num_replicas", "autoscaling_config", "user_config", "ray_actor_options"} <= set(DEPLOYMENT_FIELDS)


def test_a_configuration_survives_writing_and_reading() -> None:
    config = {"http_options": {"port": 8000}, "applications": [{"name": "ü", "args": {"a": None}}]}
    assert serve_config.parse(serve_config.dump(config)) == config


def test_a_configuration_written_by_hand_is_read() -> None:
    assert serve_config.parse("applications:\n- name: iris\n") == {"applications": [{"name": "iris"}]}


@pytest.mark.parametrize("text", ["[]", "applications: 3", "a: [", '"text"'])
def test_something_else_is_refused(text: str) -> None:
    with pytest.raises(RayError, match="serveConfigV2"):
        serve_config.parse(text)


def test_an_entry_keeps_its_place() -> None:
    config = {"applications": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    changed = serve_config.with_entry(config, "b", {"name": "b", "args": {}})
    assert [entry["name"] for entry in serve_config.entries(changed)] == ["a", "b", "c"]
    assert serve_config.entries(serve_config.with_entry(changed, "b", None)) == [{"name": "a"}, {"name": "c"}]
    assert config["applications"][1] == {"name": "b"}
