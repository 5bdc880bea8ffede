# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of environments, and the entry of a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlops_ray import RayError, application, contract, model
from mlops_ray.contract import Environment

OWN = Environment("py3.13-ray2.60.0-numpy2.5.5", ("py3.13-ray2.59.0-numpy2.5.5",))
OTHER = "py3.13-ray2.60.0-numpy1.26.0"


@pytest.mark.parametrize("made", [OWN.env_id, OWN.serves[0]])
def test_the_same_and_a_known_older_environment_agree(made: str) -> None:
    assert contract.check(made, OWN, "enforce") == ""


def test_another_environment_is_refused_with_both_shown() -> None:
    with pytest.raises(RayError) as caught:
        contract.check(OTHER, OWN, "enforce")
    for text in (OTHER, OWN.env_id, "there numpy1.26.0, here numpy2.5.5", "env_policy=warn"):
        assert text in str(caught.value)


@pytest.mark.parametrize("made", [OTHER, None, ""])
def test_the_policy_warn_tells_it_only(made: str | None) -> None:
    assert contract.check(made, OWN, "warn")


def test_a_model_that_does_not_say_is_refused() -> None:
    with pytest.raises(RayError, match="does not say which environment"):
        contract.check(None, OWN, "enforce")


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(RayError, match=r"^env_policy: 'off'"):
        contract.check(OWN.env_id, OWN, "off")


def test_the_services_annotations_win_over_our_own_image() -> None:
    notes = {contract.ANNOTATION: OTHER, contract.ANNOTATION_SERVES: "a b"}
    assert contract.of_service({"metadata": {"annotations": notes}}, OWN) == Environment(OTHER, ("a", "b"))
    assert contract.of_service({"metadata": {}}, OWN) == OWN


def test_the_images_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "environment.json"
    with pytest.raises(RayError, match="does not describe"):
        contract.of_image(path)
    path.write_text(json.dumps({"env_id": "x", "lock": "y", "packages": {"numpy": "1"}, "serves": ["z"]}))
    assert contract.of_image(path) == Environment("x", ("z",), "y", {"numpy": "1"})


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("iris", ("iris", None, None)),
        ("iris/3", ("iris", "3", None)),
        ("models:/iris/3", ("iris", "3", None)),
        ("models:/iris@best", ("iris", None, "best")),
    ],
)
def test_a_reference_is_read(text: str, meant: tuple[str | None, ...]) -> None:
    assert model.reference(text) == meant


@pytest.mark.parametrize("text", ["", "a/b", "a/0", "a@", "a@b@c", "a/1/2", "runs:/abc/model"])
def test_a_wrong_reference_is_refused(text: str) -> None:
    with pytest.raises(RayError, match=r"^model: "):
        model.reference(text)


def test_the_entry_of_a_model_is_one_that_the_service_takes() -> None:
    resources = {"replicas": 2, "cpus": 0.5, "memory": None}
    entry = model.entry("iris", "models:/iris/3", resources, {"max_batch_size": 8}, route_prefix=None)
    assert application.checked(entry, [], workers=2) == {
        "name": "iris",
        "route_prefix": "/iris",
        "import_path": "mlops_serving.app:build",
        "args": {"model_uri": "models:/iris/3", "batching": {"max_batch_size": 8}},
        "deployments": [
            {"max_replicas_per_node": 1, "name": "Model", "num_replicas": 2, "ray_actor_options": {"num_cpus": 0.5}}
        ],
    }


def test_wrong_batching_is_refused_before_it_is_deployed() -> None:
    with pytest.raises(RayError, match=r"^batching\.max_size: there is no such field; known are max_batch_size"):
        model.entry("iris", "models:/iris/3", {}, {"max_size": 8})


def test_an_unknown_resource_is_named() -> None:
    with pytest.raises(RayError, match=r"^replica: "):
        model.entry("iris", "models:/iris/3", {"replica": 2})


@pytest.mark.parametrize(
    ("address", "pinned"),
    [
        ("models:/iris/3", True),
        ("models:/m-house/3", True),
        ("models:/m-0123456789", True),
        ("runs:/abc/model", True),
        ("models:/iris", False),
        ("models:/123", False),
        ("models:/iris@best", False),
        ("models:/m-house@best", False),
        ("models:/iris/latest", False),
    ],
)
def test_an_address_says_whether_it_always_gives_the_same_model(address: str, pinned: bool) -> None:
    assert model.is_pinned(address) == pinned


def test_a_models_name_becomes_one_of_an_application() -> None:
    assert model.application_name("Team A: iris (v2)") == "Team-A-iris-v2"
