# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What one application of a Serve configuration may say. Ray would find most mistakes later, and some never."""

from __future__ import annotations

import re
import typing as t

from . import RayError
from .serve_config import Entry

# The platform's own application: the list of models on /, with a replica and so a proxy on every worker.
BUILT_IN = "model-list"
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
ROUTE = re.compile(r"/[A-Za-z0-9._~/-]*")
# The kubelet asks here whether a worker may take traffic: the built-in application and Serve itself answer.
RESERVED = re.compile(r"/ready|/-(/.*)?")
IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*(:[A-Za-z_]\w*|\.[A-Za-z_]\w*)")
FIELDS: dict[str, type] = {
    "name": str,
    "import_path": str,
    "route_prefix": str,
    "args": dict,
    "runtime_env": dict,
    "deployments": list,
    "logging_config": dict,
    "autoscaling_policy": dict,
    "external_scaler_enabled": bool,
}
NUMBER = (int, float)
DEPLOYMENT_FIELDS: dict[str, t.Any] = {
    "name": str,
    "num_replicas": (int, str),
    "max_ongoing_requests": int,
    "max_queued_requests": int,
    "backpressure_config": dict,
    "user_config": dict,
    "autoscaling_config": dict,
    "graceful_shutdown_wait_loop_s": NUMBER,
    "graceful_shutdown_timeout_s": NUMBER,
    "health_check_period_s": NUMBER,
    "health_check_timeout_s": NUMBER,
    "ray_actor_options": dict,
    "placement_group_bundles": list,
    "placement_group_strategy": str,
    "placement_group_bundle_label_selector": list,
    "max_replicas_per_node": int,
    "logging_config": dict,
    "request_router_config": dict,
    "gang_scheduling_config": dict,
    "deployment_actors": list,
    "rolling_update_percentage": NUMBER,
    "max_surge_percent": int,
}


def checked(entry: Entry, others: t.Iterable[Entry], workers: int, built_in: bool = False) -> Entry:
    """The application with its defaults; RayError names the field that is wrong and what to do.

    ``others`` are the other applications of the service, ``workers`` is how many worker pods it has.
    """
    name = entry.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise RayError(f"name: {name!r} is not a name of up to 63 letters, digits, - and _; choose another")
    if name == BUILT_IN and not built_in:
        raise RayError(f"name: {name!r} is the platform's own application; choose another")
    given = {"route_prefix": f"/{name}", **given_fields(entry)}
    _check_fields(given, FIELDS, "")
    path = given.get("import_path", "")
    if not IMPORT_PATH.fullmatch(path):
        raise RayError(f"import_path: {path!r} is not of the form module.sub:builder; correct it")
    _check_route(given["route_prefix"], name, others)
    return {**given, **_deployments(given, workers)}


def check_replicas(entry: Entry, workers: int) -> None:
    """RayError where a deployment has more replicas than fit on that many workers; all else may be as Ray takes it."""
    for number, deployment in enumerate(entry.get("deployments") or []):
        replicas, each = deployment.get("num_replicas"), deployment.get("max_replicas_per_node")
        if isinstance(replicas, int) and isinstance(each, int):
            _check_room(replicas, each, workers, f"deployments[{number}].")


def given_fields(entry: Entry) -> Entry:
    """The fields that hold something: null is the same as not given."""
    return {field: value for field, value in entry.items() if value is not None}


def _check_fields(given: Entry, known: t.Mapping[str, t.Any], where: str) -> None:
    for field, value in given.items():
        if field not in known:
            raise RayError(f"{where}{field}: there is no such field; known are {', '.join(known)}")
        wanted = known[field]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            names = " or ".join(kind.__name__ for kind in (wanted if isinstance(wanted, tuple) else (wanted,)))
            raise RayError(f"{where}{field}: {value!r} is not of type {names}; correct it")


def _check_route(route: str, name: str, others: t.Iterable[Entry]) -> None:
    if not ROUTE.fullmatch(route) or (route != "/" and route.endswith("/")) or "//" in route:
        raise RayError(f"route_prefix: {route!r} is not a path such as /{name}, without / at its end; correct it")
    if RESERVED.fullmatch(route):
        raise RayError(f"route_prefix: {route} is where the platform asks whether a worker is ready; choose another")
    for other in others:
        if other.get("name") != name and other.get("route_prefix", "/") == route:
            raise RayError(
                f"route_prefix: {route} already belongs to the application {other.get('name')!r}; choose another"
            )


def _deployments(given: Entry, workers: int) -> dict[str, t.Any]:
    """The deployments with their default: replicas on different workers, so that one worker's loss is no outage."""
    if "deployments" not in given:
        return {}
    names: list[t.Any] = []
    found = []
    for number, deployment in enumerate(given["deployments"]):
        where = f"deployments[{number}]."
        if not isinstance(deployment, dict) or not deployment.get("name"):
            raise RayError(f"{where}name: it is missing; name the deployment class of the application's code")
        deployment = given_fields(deployment)
        _check_fields(deployment, DEPLOYMENT_FIELDS, where)
        if deployment["name"] in names:
            raise RayError(f"{where}name: {deployment['name']} is there twice; merge both")
        names.append(deployment["name"])
        found.append({"max_replicas_per_node": 1, **deployment})
        _check_replicas(found[-1], workers, where)
    return {"deployments": found}


def _check_replicas(deployment: Entry, workers: int, where: str) -> None:
    replicas, each = deployment.get("num_replicas", 1), deployment["max_replicas_per_node"]
    if isinstance(replicas, str) and replicas != "auto":
        raise RayError(f"{where}num_replicas: {replicas!r} is neither a number nor auto; correct it")
    if not 1 <= each <= 100:
        raise RayError(f"{where}max_replicas_per_node: {each} is not from 1 to 100; correct it")
    actor = deployment.get("ray_actor_options") or {}
    if actor.get("num_cpus") == 0 and not actor.get("num_gpus") and not actor.get("resources"):
        raise RayError(f"{where}ray_actor_options.num_cpus: with 0 replicas may land on the head; give at least 0.01")
    if isinstance(replicas, int) and replicas < 1:
        raise RayError(f"{where}num_replicas: {replicas} is not above 0; to shut the application down, remove it")
    if isinstance(replicas, int):
        _check_room(replicas, each, workers, where)


def _check_room(replicas: int, each: int, workers: int, where: str) -> None:
    if replicas > workers * each:
        raise RayError(
            f"{where}num_replicas: {replicas} replicas with max_replicas_per_node {each} need more than the service's"
            f" {workers} workers; lower num_replicas, raise max_replicas_per_node, or add workers"
        )
