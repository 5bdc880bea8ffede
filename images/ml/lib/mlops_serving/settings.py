# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of the application, as they stand under ``args`` of its entry in the Serve configuration."""

from __future__ import annotations

import typing as t

from mlops_ray import RayError, batching

ARGUMENTS = ("model_uri", "batching", "load_timeout_s")
SCHEMES = ("models:/", "runs:/", "mlflow-artifacts:/", "s3://")


class Settings(t.NamedTuple):
    """What to serve, and how. A load waits that long for an MLflow that is away."""

    model_uri: str
    batches: batching.Batching = batching.Batching()
    load_timeout_s: float = 900.0


def parse(arguments: t.Mapping[str, t.Any]) -> Settings:
    """The settings; RayError names the field that is wrong and what to do."""
    batching.known("", arguments, ARGUMENTS)
    uri = arguments.get("model_uri")
    if not isinstance(uri, str) or not uri.startswith(SCHEMES):
        raise RayError(f"model_uri: {uri!r} is not an address such as models:/iris/3; correct it")
    default = Settings._field_defaults["load_timeout_s"]
    load = batching.seconds("load_timeout_s", arguments.get("load_timeout_s", default), 86400)
    return Settings(uri, batching.parse(arguments.get("batching") or {}), load)
