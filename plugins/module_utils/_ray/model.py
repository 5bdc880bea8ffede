# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""A registered model as an application: which version is meant, and the entry of the Serve configuration for it."""

from __future__ import annotations

import re
import typing as t

from . import RayError
from .batching import known
from .batching import parse as parse_batching
from .serve_config import Entry

IMPORT_PATH = "mlops_serving.app:build"
DEPLOYMENT = "Model"  # the name of the deployment class behind IMPORT_PATH
REFERENCE = re.compile(r"(?:models:/)?(?P<name>[^/@:]+)(?:/(?P<version>[1-9][0-9]*)|@(?P<alias>[^/@:]+))?")


class Reference(t.NamedTuple):
    """A registered model by version or alias; with neither, its newest version is meant."""

    name: str
    version: str | None = None
    alias: str | None = None


def reference(text: str) -> Reference:
    """The model that a user means by iris, iris/3, iris@champion, or the same behind models:/."""
    match = REFERENCE.fullmatch(text)
    if match is None:
        raise RayError(f"model: {text!r} is not of the form name, name/version or name@alias; correct it")
    return Reference(match["name"], match["version"], match["alias"])


def versions_of(name: str) -> str:
    """MLflow's filter for the versions of a model. It knows no escapes, but two kinds of quotes."""
    quote = '"' if "'" in name else "'"
    return f"name = {quote}{name}{quote}"


RESOURCES = ("replicas", "cpus", "gpus", "memory", "max_ongoing_requests", "max_replicas_per_node")
NEWEST = "version_number DESC"
# MLflow's address of a logged model; a registered one whose name begins like that has a version or an alias in it.
LOGGED = re.compile(r"models:/m-[^/@]+")
VERSION = re.compile(r"models:/[^/@]+/[0-9]+")
REGISTERED = re.compile(r"models:/([^/@]+)[/@]")


def is_pinned(address: str) -> bool:
    """Whether the address gives the same model at any time; that of an alias or of the newest version does not."""
    return not address.startswith("models:/") or any(form.fullmatch(address) for form in (LOGGED, VERSION))


def uri(name: str, version: str | int) -> str:
    """The address of one version. Deployed is always a version: an alias may move while replicas come and go."""
    return f"models:/{name}/{version}"


def _served(entry: Entry | None) -> t.Any:
    return ((entry or {}).get("args") or {}).get("model_uri")


def check_free(entry: Entry | None, model: str) -> None:
    """RayError where the name that was made of the model's is the one of another model's application."""
    served = REGISTERED.match(str(_served(entry)))
    if entry and served and served[1] != model:
        raise RayError(
            f"name: the application {entry['name']} serves the model {served[1]!r}, not {model!r};"
            " give the application another name, or this one to replace it"
        )


def check_served(entry: Entry | None, meant: Reference) -> None:
    """RayError where a version is meant and the application serves another, which may have taken its place."""
    served = _served(entry)
    if entry and meant.version and served and served != uri(meant.name, meant.version):
        raise RayError(
            f"model: the application {entry['name']} serves {served}, not {uri(meant.name, meant.version)};"
            " to shut it down all the same, name the model without a version"
        )


def application_name(model: str) -> str:
    """A name for the application of a model, made of characters that a name and a route may have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", model).strip("-_")[:63].rstrip("-_")


def entry(name: str, model_uri: str, resources: Entry, batching: Entry | None = None, **fields: t.Any) -> Entry:
    """The application that serves a model; ``resources`` and further fields as in ``code_entry``."""
    if batching:
        parse_batching(batching)
    arguments = {"model_uri": model_uri, **({"batching": batching} if batching else {})}
    return code_entry(name, IMPORT_PATH, resources, DEPLOYMENT, args=arguments, **fields)


def code_entry(name: str, import_path: str, resources: Entry, deployment: str, **fields: t.Any) -> Entry:
    """An application of code of one's own. ``resources``: replicas, cpus, gpus, memory, max_ongoing_requests."""
    known("", resources, RESOURCES)
    asked = {"num_cpus": "cpus", "num_gpus": "gpus", "memory": "memory"}
    actor = {theirs: resources[ours] for theirs, ours in asked.items() if resources.get(ours) is not None}
    options = {"name": deployment, "num_replicas": resources.get("replicas", 1)}
    for field in ("max_ongoing_requests", "max_replicas_per_node"):
        if resources.get(field) is not None:
            options[field] = resources[field]
    if actor:
        options["ray_actor_options"] = actor
    given = {field: value for field, value in fields.items() if value is not None}
    return {"name": name, "import_path": import_path, **given, "deployments": [options]}
