# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploying: one entry of the RayService's Serve configuration, the others stay as they are."""

from __future__ import annotations

import typing as t
import warnings

from mlops_ray import RayError, contract, model
from mlops_ray.deploy import Options
from mlops_ray.deploy import deploy as make
from mlops_ray.deploy import undeploy as remove
from mlops_ray.in_cluster import Kube
from mlops_ray.serve_config import Entry
from mlops_ray.service import Service

from . import registry, settings


class Deployed(t.NamedTuple):
    """An application that runs."""

    name: str
    url: str
    changed: bool
    seconds: float
    model_uri: str | None = None


def service() -> Service:
    """The platform's RayService, with the pod's ServiceAccount."""
    known = settings.read()
    return Service(Kube(), known.namespace, known.service)


def deploy(
    which: str,
    *,
    name: str | None = None,
    route: str | None = None,
    batching: Entry | None = None,
    env_policy: str | None = None,
    timeout: float = 300,
    on: Service | None = None,
    **resources: t.Any,
) -> Deployed:
    """Serve a registered model: ``iris``, ``iris/3``, ``iris@champion`` or its models:/ address.

    resources: replicas (2), cpus (1) and gpus of each, memory in bytes, max_ongoing_requests, max_replicas_per_node.
    batching: max_batch_size and wait_s. env_policy: enforce or warn. It waits until the model answers, and puts the
    configuration of before back when it cannot.
    """
    target = on or service()
    found = registry.find(which)
    serving = contract.of_service(target.read(), contract.of_image())
    warning = contract.check(found.env_id, serving, env_policy or settings.read().env_policy)
    if warning:
        warnings.warn(warning, stacklevel=2)
    called = name or model.application_name(found.name)
    if not name:
        model.check_free(target.application(called), found.name)
    entry = model.entry(called, found.uri, _with_defaults(resources), batching, route_prefix=route)
    return _deployed(target, entry, timeout, found.uri)


def deploy_code(
    name: str,
    import_path: str,
    code: str,
    *,
    deployment: str,
    route: str | None = None,
    arguments: Entry | None = None,
    timeout: float = 300,
    on: Service | None = None,
    **resources: t.Any,
) -> Deployed:
    """Serve code of one's own: a zip in the object store (see ``upload_code``) with a Serve application.

    import_path: module:builder; deployment: the name of its deployment class; resources as in ``deploy``.
    """
    if not code.endswith(".zip"):
        raise RayError(f"code: {code!r} is not the address of a zip; use what mlops.upload_code gives")
    fields = {"runtime_env": {"working_dir": code}, "route_prefix": route, "args": arguments}
    entry = model.code_entry(name, import_path, _with_defaults(resources), deployment, **fields)
    return _deployed(on or service(), entry, timeout, None)


def undeploy(name: str, *, timeout: float = 300, on: Service | None = None) -> bool:
    """Shut an application down, by its name or its model's; whether it was there."""
    return remove(on or service(), model.application_name(name), Options(timeout=timeout)).changed


def _with_defaults(resources: Entry) -> Entry:
    return {"replicas": 2, "cpus": 1, **resources}


def _deployed(target: Service, entry: Entry, timeout: float, uri: str | None) -> Deployed:
    done = make(target, entry, Options(timeout=timeout))
    route = (done.after or {}).get("route_prefix", "").rstrip("/")
    return Deployed(entry["name"], settings.read().serve_url + route, done.changed, done.seconds, uri)
