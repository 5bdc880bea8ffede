# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Versions of models in MLflow's registry."""

from __future__ import annotations

import http.client
import typing as t

import yaml

from .._ray.contract import TAG
from .._ray.model import NEWEST, Reference, versions_of
from . import MlflowError
from .client import Client, Json, RefusedError

# An alias that a model does not have is a wrong value for MLflow.
MISSING = (http.client.NOT_FOUND, http.client.BAD_REQUEST)


class Found(t.NamedTuple):
    """One version of a registered model, and the environment that it was made in, if it says so."""

    name: str
    version: str
    env_id: str | None


def find(client: Client, meant: Reference) -> Found:
    """The version that is meant; MlflowError when there is none."""
    try:
        version = _asked(client, meant)
    except RefusedError as error:
        if error.status in MISSING:
            raise MlflowError(f"model: {_shown(meant)} is not in MLflow's registry: {error}") from error
        if error.status == http.client.FORBIDDEN:
            # MLflow says so of a model that does not exist, too.
            raise MlflowError(
                f"model: {_shown(meant)} is not in MLflow's registry, or the user may not read it: {error}"
            ) from error
        raise
    tags = {tag.get("key"): tag.get("value") for tag in version.get("tags") or []}
    return Found(
        meant.name, str(version["version"]), tags.get(TAG) or _in_model(client, meant.name, version["version"])
    )


def _in_model(client: Client, name: str, version: str) -> str | None:
    """From the model itself: a version that was registered by hand has no tag."""
    try:
        about = yaml.safe_load(client.file_of_model(name, str(version), "MLmodel"))
    except RefusedError:
        return None
    except yaml.YAMLError as error:
        raise MlflowError(f"model: the file MLmodel of {name}/{version} is no YAML: {error}") from error
    found = (about.get("metadata") or {}).get(TAG) if isinstance(about, dict) else None
    return str(found) if found else None


def _asked(client: Client, meant: Reference) -> Json:
    if meant.alias:
        return t.cast(
            "Json", client.call("GET", "registered-models/alias", name=meant.name, alias=meant.alias)["model_version"]
        )
    if meant.version:
        found = client.call("GET", "model-versions/get", name=meant.name, version=meant.version)
        return t.cast("Json", found["model_version"])
    order = {"filter": versions_of(meant.name), "max_results": 1, "order_by": NEWEST}
    newest = client.call("GET", "model-versions/search", **order).get("model_versions") or []
    if not newest:
        raise MlflowError(f"model: {meant.name} has no version in MLflow's registry; log one with mlops.log_model")
    return t.cast("Json", newest[0])


def _shown(meant: Reference) -> str:
    return meant.name + (f"@{meant.alias}" if meant.alias else f"/{meant.version}" if meant.version else "")
