# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models in MLflow's registry."""

from __future__ import annotations

import typing as t

from mlops_ray import RayError, contract, model


class Found(t.NamedTuple):
    """One version of a registered model."""

    name: str
    version: str
    uri: str
    env_id: str | None


def find(which: str) -> Found:
    """The version that is meant; RayError when there is none, or MLflow does not answer."""
    import mlflow
    from mlflow.exceptions import MlflowException

    meant = model.reference(which)
    client = mlflow.MlflowClient()
    try:
        version = version_of(client, meant)
        return Found(meant.name, str(version.version), model.uri(meant.name, version.version), _env_id(version))
    except MlflowException as error:
        raise RayError(f"model: {which}: MLflow says: {error.message}; look at {mlflow.get_tracking_uri()}") from error


def version_of(client: t.Any, meant: model.Reference) -> t.Any:
    """The version that is meant, without version and alias the newest one; MlflowException when there is none."""
    if meant.alias:
        return client.get_model_version_by_alias(meant.name, meant.alias)
    if meant.version:
        return client.get_model_version(meant.name, meant.version)
    client.get_registered_model(meant.name)  # an unknown model is an error, not an empty list
    found = client.search_model_versions(model.versions_of(meant.name), max_results=1, order_by=[model.NEWEST])
    if not found:
        raise RayError(f"model: {meant.name} has no version; log one with mlops.log_model")
    return found[0]


def _env_id(version: t.Any) -> str | None:
    """From the version's tag, which needs no download; else from the model itself."""
    import mlflow

    if contract.TAG in version.tags:
        return str(version.tags[contract.TAG])
    about = mlflow.models.get_model_info(model.uri(version.name, version.version))
    return (about.metadata or {}).get(contract.TAG)
