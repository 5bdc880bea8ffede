# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a model in a notebook: log it, deploy it, call it, shut it down.

    logged = mlops.log_model(estimator, "iris", example=features.head())
    mlops.deploy(logged.uri, replicas=2)
    mlops.call("iris", features.head())
    mlops.undeploy("iris")

Addresses and credentials come from the environment, see ``mlops.settings``. MLflow takes seconds to import, so it is
imported by what needs it.
"""

from __future__ import annotations

from mlops_ray import DeployError, RayError

from .calling import CallError, call, metadata
from .code import upload_code
from .deploying import Deployed, deploy, deploy_code, undeploy
from .log import Logged, log_model

__all__ = [
    "CallError",
    "DeployError",
    "Deployed",
    "Logged",
    "RayError",
    "call",
    "deploy",
    "deploy_code",
    "log_model",
    "metadata",
    "undeploy",
    "upload_code",
]
