# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application to try a platform with, without a model: ``mlops_gate.probe:build``.

It answers who it is, since when it runs and how many requests it has answered, so that a replica that kept its memory
can be told from a new one.
"""

from __future__ import annotations

import time
import typing as t

from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse


@serve.deployment
class Probe:
    """One replica."""

    def __init__(self, arguments: dict[str, t.Any]) -> None:
        self.arguments = arguments
        self.replica = serve.get_replica_context().replica_id.unique_id
        self.started = time.time()
        self.requests = 0

    async def __call__(self, _request: Request) -> JSONResponse:
        """Answer one request."""
        self.requests += 1
        own = {"replica": self.replica, "started": self.started, "requests": self.requests}
        return JSONResponse({**own, "arguments": self.arguments})


def build(arguments: dict[str, t.Any]) -> serve.Application:
    """The application; it tells its arguments to everybody."""
    return t.cast("serve.Application", Probe.bind(arguments))
