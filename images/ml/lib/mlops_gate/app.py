# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application as Serve imports it: ``mlops_gate.app:build``."""

from __future__ import annotations

import threading
import typing as t

import ray
from ray import serve
from ray.exceptions import RayError
from ray.experimental import internal_kv
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE
from starlette.requests import Request
from starlette.responses import JSONResponse

from .logic import Details, answer
from .watcher import Watcher

NAMESPACE, KEY = b"mlops", b"complete"
TIMEOUT = 5.0


def ask() -> Details:
    """What Serve's controller says about its applications."""
    controller = ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)
    return t.cast("Details", ray.get(controller.get_serve_instance_details.remote(), timeout=TIMEOUT))


class ClusterMemory:
    """The cluster's key-value store: it lasts as long as the cluster, and outlives its head with Redis."""

    def recall(self) -> bool:
        """Whether the cluster was complete before."""
        return bool(internal_kv._internal_kv_exists(KEY, namespace=NAMESPACE))

    def store(self) -> None:
        """Remember that it is."""
        internal_kv._internal_kv_put(KEY, b"1", overwrite=True, namespace=NAMESPACE)


@serve.deployment
class ModelList:
    """Answers on / with the list of models, and on /ready whether this Ray cluster may take traffic."""

    def __init__(self) -> None:
        self.own = serve.get_replica_context().app_name
        self.watcher = Watcher(ask, ClusterMemory(), (RayError, ValueError, OSError, RuntimeError))
        threading.Thread(target=self.watcher.run, args=(threading.Event(),), daemon=True, name="watcher").start()

    async def __call__(self, request: Request) -> JSONResponse:
        """Answer one request."""
        status, body = answer(request.url.path, self.watcher.view, self.own)
        return JSONResponse(body, status_code=status)


def build(_arguments: dict[str, t.Any]) -> serve.Application:
    """The application; it takes no arguments."""
    return t.cast("serve.Application", ModelList.bind())
