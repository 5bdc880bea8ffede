# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What the modules about Ray have in common: the collection's client in the form that the shared code takes."""

from __future__ import annotations

import contextlib
import copy
import http.client
import json
import re
import typing as t
from urllib.parse import urlencode

from ._kube.client import Client
from ._kube.connection import argument_spec as kube_argument_spec
from ._kube.errors import ApiError, KubeError
from ._ray import ConflictError, RayError
from ._ray.patience import watched
from ._ray.service import Query
from ._ray.state import Object
from ._tunnel import client_for

Params = t.Mapping[str, t.Any]
HIDDEN, HIDDEN_CHANGED = "(hidden)", "(hidden, another one)"
USER = re.compile(r"(?<=://)[^/@\s]+(?=@)")  # the user and password of an address


def argument_spec() -> dict[str, dict[str, t.Any]]:
    """Which RayService, and how to reach its cluster."""
    return {
        **kube_argument_spec(),
        "namespace": {"type": "str", "default": "mlops"},
        "service": {"type": "str", "default": "ray"},
    }


class KubeOf:
    """The client as _ray.service.Kube describes it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, path: str, query: Query) -> Object | None:
        """The body of a GET; None where nothing is there or it may not be read."""
        try:
            return t.cast("Object", self.client.get(path, query))
        except ApiError as error:
            if error.not_found or (error.status == 403 and path.endswith("/events")):
                return None
            raise RayError(str(error)) from error
        except KubeError as error:
            raise RayError(str(error)) from error

    def patch(self, path: str, query: Query, body: Object) -> Object:
        """The object after a merge patch; ConflictError when its resourceVersion is another."""
        try:
            answer = self.client.request("PATCH", path, query, body, "application/merge-patch+json")
            return t.cast("Object", answer.body)
        except ApiError as error:
            raise (ConflictError if error.status == 409 else RayError)(str(error)) from error
        except KubeError as error:
            raise RayError(str(error)) from error

    def watch(self, path: str, query: Query, seconds: float) -> t.Iterator[Object]:
        """The changed objects of a collection, for some seconds at most."""
        full = {**query, "watch": "true", "timeoutSeconds": max(1, round(seconds))}
        connection = self.client.transport.open(timeout=seconds + 30)

        def ask() -> http.client.HTTPResponse:
            target = f"{self.client.transport.prefix}{path}?{urlencode(full)}"
            connection.request("GET", target, None, self.client.headers())
            return connection.getresponse()

        try:
            yield from watched(ask, seconds)
        finally:
            connection.close()


@contextlib.contextmanager
def kube_of(params: Params) -> t.Iterator[KubeOf]:
    """A client for the connection options of a module."""
    try:
        with client_for(params) as client:
            yield KubeOf(client)
    except KubeError as error:
        raise RayError(str(error)) from error


def masked(before: t.Any, after: t.Any) -> tuple[t.Any, t.Any]:
    """Both sides of a diff, with environment variables' values and users of addresses hidden: they may be secrets."""
    left, right = copy.deepcopy(before), copy.deepcopy(after)
    old = _variables(left)
    for place, variables in _variables(right).items():
        known = old.get(place, {})
        variables.update({name: HIDDEN if known.get(name, v) == v else HIDDEN_CHANGED for name, v in variables.items()})
    for variables in old.values():
        variables.update(dict.fromkeys(variables, HIDDEN))
    users = set(USER.findall(json.dumps(left, ensure_ascii=False)))
    return _without_users(left, users, HIDDEN), _without_users(right, users, HIDDEN_CHANGED if users else HIDDEN)


def _without_users(value: t.Any, users: t.Collection[str], otherwise: str) -> t.Any:
    """A copy without users of addresses; those that are not among the given ones are told apart."""
    if isinstance(value, dict):
        return {name: _without_users(item, users, otherwise) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_users(item, users, otherwise) for item in value]
    if isinstance(value, str):
        return USER.sub(lambda found: HIDDEN if found[0] in users else otherwise, value)
    return value


def _variables(entry: t.Any) -> dict[str, dict[str, t.Any]]:
    """The environment of the application and of each of its deployments, by the deployment's name."""
    deployments = [item for item in (entry or {}).get("deployments") or [] if isinstance(item, dict)]
    owners = {"": entry or {}, **{str(item.get("name")): item.get("ray_actor_options") or {} for item in deployments}}
    found = {}
    for place, owner in owners.items():
        environment = owner.get("runtime_env")
        variables = environment.get("env_vars") if isinstance(environment, dict) else None
        if isinstance(variables, dict):
            found[place] = variables
    return found
