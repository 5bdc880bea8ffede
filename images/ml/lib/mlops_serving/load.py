# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading a model from MLflow, which may be away for a while when a whole cluster starts."""

from __future__ import annotations

import logging
import os
import time
import typing as t
import urllib.error
import urllib.request

import mlflow
import requests
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel
from mlops import registry
from mlops_ray import contract, model

from .request import Signature

LOGGER = logging.getLogger("ray.serve")
FAULTS = (MlflowException, requests.exceptions.RequestException)
LASTING = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "PERMISSION_DENIED", "UNAUTHENTICATED", "BAD_REQUEST")
ATTEMPTS = 4  # while MLflow answers, so that it is the model that does not load
T = t.TypeVar("T")


class LoadError(RuntimeError):
    """One readable sentence for the user."""


class Loaded(t.NamedTuple):
    """A model, and what is told of it."""

    model: PyFuncModel
    signature: Signature
    about: dict[str, t.Any]


def answers() -> bool:
    """Whether MLflow is there; a file store always is."""
    address = mlflow.get_tracking_uri()
    if not address.startswith(("http://", "https://")):
        return True
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=5) as answer:  # noqa: S310 http only
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def retried(what: str, action: t.Callable[[], T], timeout: float, pause: t.Callable[[float], None] = time.sleep) -> T:
    """The action's result; tried again while MLflow is away, and some times while it is there."""
    deadline, failed, delay = time.monotonic() + timeout, 0, 1.0
    while True:
        try:
            return action()
        except FAULTS as error:
            failed += answers()
            lasting = getattr(error, "error_code", "") in LASTING
            if lasting or failed >= ATTEMPTS or time.monotonic() + delay > deadline:
                raise LoadError(f"{what}: MLflow does not give the model: {error}") from error
            LOGGER.warning("%s: tried again in %.0f s: %s", what, delay, error)
        pause(delay)
        delay = min(delay * 2, 15.0)


def pinned(uri: str, timeout: float) -> str:
    """The address of one version: replicas must agree, also when an alias moves later."""
    if model.is_pinned(uri):
        return uri
    meant = model.reference(uri.removesuffix("/latest"))
    client = mlflow.MlflowClient()
    return retried(uri, lambda: model.uri(meant.name, registry.version_of(client, meant).version), timeout)


def load(uri: str, timeout: float, environment: contract.Environment) -> Loaded:
    """The model; an environment other than the one that made it is only logged: what runs shall be able to restart."""
    started = time.monotonic()
    found = retried(uri, lambda: mlflow.pyfunc.load_model(uri), timeout)
    made = (found.metadata.metadata or {}).get(contract.TAG)
    warning = contract.difference(made, environment)
    if warning:
        LOGGER.warning("%s: %s", uri, warning)
    seconds = round(time.monotonic() - started, 2)
    LOGGER.info("%s: loaded in %.2f s by process %d", uri, seconds, os.getpid())
    return Loaded(found, signature(found), _about(uri, found, made, environment, seconds))


def signature(found: PyFuncModel) -> Signature:
    """The model's signature as plain data."""
    known = found.metadata.signature
    parts = (known.inputs, known.params, known.outputs) if known else (None, None, None)
    return Signature(*(part.to_dict() if part else None for part in parts))


def _about(
    uri: str, found: PyFuncModel, made: str | None, environment: contract.Environment, seconds: float
) -> dict[str, t.Any]:
    meant = model.reference(uri) if uri.startswith("models:/") and not model.LOGGED.fullmatch(uri) else None
    return {
        "model": meant.name if meant else None,
        "version": meant.version if meant else None,
        "model_uri": uri,
        "run_id": found.metadata.run_id,
        "env_id": {"model": made, "serving": environment.env_id, "agree": not contract.difference(made, environment)},
        "lock": environment.lock,
        "load_seconds": seconds,
    }
