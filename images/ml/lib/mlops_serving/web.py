# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The paths of a model's API. The application is made after the model was loaded, for its signature."""

from __future__ import annotations

import logging
import typing as t

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from . import openapi, page, request, result
from .load import Loaded

LOGGER = logging.getLogger("ray.serve")
Predict = t.Callable[[request.Input], t.Awaitable[t.Any]]


def json_response(document: t.Any, status: int = 200) -> Response:
    """An answer."""
    return Response(result.encode(document), status, media_type="application/json")


def application(loaded: Loaded, predict: Predict, further: t.Mapping[str, t.Any]) -> FastAPI:
    """The web application; Serve's list of applications links to its docs_url."""
    about = {**loaded.about, **further, "signature": loaded.signature._asdict()}

    async def predictions(asked: Request) -> Response:
        try:
            found = await predict(request.parse(await asked.body(), loaded.signature))
            return json_response({"predictions": result.plain(found)})
        except request.InvalidError as error:
            return json_response(error.body(), 422)
        except Exception as error:
            LOGGER.exception("the model failed")
            why = f"the model failed with {type(error).__name__}; the log of replica {about.get('replica')} says more"
            return json_response({"detail": why}, 500)

    async def health(_asked: Request) -> Response:
        return json_response({"status": "ok"})

    async def metadata(_asked: Request) -> Response:
        return json_response(about)

    async def described(asked: Request) -> Response:
        return json_response(_document(loaded, asked))

    async def docs(asked: Request) -> Response:
        return HTMLResponse(page.render(_document(loaded, asked)))

    found = FastAPI(openapi_url=None, docs_url="/docs")  # without openapi_url it makes no pages of its own
    found.add_route("/predict", predictions, methods=["POST"])
    for path, handler in {"/health": health, "/metadata": metadata, "/openapi.json": described, "/docs": docs}.items():
        found.add_route(path, handler, methods=["GET"])
    return found


def _document(loaded: Loaded, asked: Request) -> openapi.Schema:
    title = loaded.about["model"] or loaded.about["model_uri"]
    route = str(asked.scope.get("root_path") or "")
    return openapi.document(title, loaded.about["version"] or "-", route, loaded.signature)
