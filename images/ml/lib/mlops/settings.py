# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the platform's services are, from the environment of the pod.

MLFLOW_TRACKING_URI, MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD   MLflow; its own client reads them
AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION   the object store; boto3 reads them
MLOPS_CODE_URL       where code lies that models run, such as s3://models-code
MLOPS_NAMESPACE      namespace of the RayService; that of the pod where it is not given
MLOPS_RAY_SERVICE    name of the RayService
MLOPS_SERVE_URL      where deployed models answer
MLOPS_ENV_POLICY     enforce or warn: what happens when a model was made in another environment than the one that serves
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from mlops_ray import RayError
from mlops_ray.in_cluster import ACCOUNT


class Settings(t.NamedTuple):
    """What the environment says."""

    namespace: str
    service: str
    serve_url: str
    env_policy: str
    code_url: str


def read(environment: t.Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> Settings:
    """The settings; what the environment does not say is as the platform has it by default."""
    own = account / "namespace"
    there = own.read_text(encoding="ascii").strip() if own.exists() else "mlops"
    return Settings(
        namespace=environment.get("MLOPS_NAMESPACE") or there,
        service=environment.get("MLOPS_RAY_SERVICE") or "ray",
        serve_url=(environment.get("MLOPS_SERVE_URL") or "http://ray-serve:8000").rstrip("/"),
        env_policy=environment.get("MLOPS_ENV_POLICY") or "enforce",
        code_url=(environment.get("MLOPS_CODE_URL") or "").rstrip("/"),
    )


def needed(name: str, value: str) -> str:
    """The value; RayError when the environment does not have it."""
    if not value:
        raise RayError(f"{name}: it is not in this environment; set it to use this")
    return value
