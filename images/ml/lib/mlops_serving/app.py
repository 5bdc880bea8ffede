# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application as Serve imports it: ``mlops_serving.app:build``, with the arguments of ``settings``.

Serve calls ``build`` in a process of its own. It needs MLflow for an alias only, and MLflow takes seconds to import.
"""

from __future__ import annotations

import time
import typing as t

from mlops_ray import contract, model
from ray import serve

from . import settings

if t.TYPE_CHECKING:
    from fastapi import FastAPI

    from .predict import Outcome
    from .request import Input


@serve.deployment(max_ongoing_requests=100)
@serve.ingress()
class Model:
    """One replica: one model in memory."""

    def __init__(self, chosen: settings.Settings) -> None:
        from . import load
        from .predict import Predictor

        self.loaded = load.load(chosen.model_uri, chosen.load_timeout_s, contract.of_image())
        self.predictor = Predictor(self.loaded.model, self.loaded.signature)
        self.batched = chosen.batches.max_batch_size > 1
        if self.batched:
            self.many.set_max_batch_size(chosen.batches.max_batch_size)
            self.many.set_batch_wait_timeout_s(chosen.batches.wait_s)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Called by Serve after the constructor."""
        from . import web

        context = serve.get_replica_context()
        own = {"application": context.app_name, "replica": context.replica_id.unique_id, "started": time.time()}
        return web.application(self.loaded, self.predict, own)

    async def predict(self, item: Input) -> t.Any:
        """The prediction for one request."""
        if not self.batched:
            return await self.predictor.one(item)
        found = await self.many(item)
        if isinstance(found, Exception):
            raise found
        return found

    @serve.batch
    async def many(self, items: list[Input]) -> list[Outcome]:
        """The outcomes of several requests."""
        return await self.predictor.many(items)


def build(arguments: dict[str, t.Any]) -> serve.Application:
    """The application. An alias is turned into the version that it names now, the same for all replicas."""
    chosen = settings.parse(arguments)
    if not model.is_pinned(chosen.model_uri):
        from . import load

        chosen = chosen._replace(model_uri=load.pinned(chosen.model_uri, chosen.load_timeout_s))
    return t.cast("serve.Application", Model.bind(chosen))  # type: ignore[attr-defined]
