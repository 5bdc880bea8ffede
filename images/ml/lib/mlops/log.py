# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging a model so that the platform can serve it: with signature, exact requirements and env_id."""

from __future__ import annotations

import contextlib
import re
import typing as t

from mlops_ray import RayError, contract

FORBIDDEN = re.compile(r"[/:.%\"']")  # in the name of a logged model; a registered one may have most of them
PACKAGES = ("mlflow", "numpy", "pandas", "scikit-learn", "category-encoders", "cloudpickle")


class Logged(t.NamedTuple):
    """One version in the registry."""

    name: str
    version: str
    uri: str
    run_id: str
    env_id: str


def log_model(
    model: t.Any,
    name: str,
    *,
    example: t.Any,
    params: t.Mapping[str, t.Any] | None = None,
    metrics: t.Mapping[str, float] | None = None,
    alias: str | None = None,
    signature: t.Any = None,
    code_paths: t.Sequence[str] | None = None,
) -> Logged:
    """Log a scikit-learn estimator or an MLflow PythonModel, and register it as ``name``.

    The signature is taken from ``example``, some rows of input with every column; columns that may lack a value must
    lack one there. ``code_paths`` are the folders or files of code of one's own that the model needs. Within a run of
    MLflow it is logged there, else in a run of its own.
    """
    import mlflow

    environment, log = contract.of_image(), _flavour(model)
    signature = signature or mlflow.models.infer_signature(example, model.predict(*_arguments(model, example)))
    with contextlib.ExitStack() as stack:
        run = mlflow.active_run() or stack.enter_context(mlflow.start_run(run_name=name))
        mlflow.log_params(dict(params or {}))
        mlflow.log_metrics(dict(metrics or {}))
        info = log(
            name=FORBIDDEN.sub("-", name),
            registered_model_name=name,
            signature=signature,
            input_example=example,
            metadata={contract.TAG: environment.env_id},
            pip_requirements=requirements(environment.packages),
            code_paths=list(code_paths) if code_paths else None,
        )
    version = str(info.registered_model_version)
    client = mlflow.MlflowClient()
    client.set_model_version_tag(name, version, contract.TAG, environment.env_id)
    if alias:
        client.set_registered_model_alias(name, alias, version)
    return Logged(name, version, f"models:/{name}/{version}", run.info.run_id, environment.env_id)


def requirements(packages: t.Mapping[str, str]) -> list[str]:
    """What the model needs, of the locked environment: MLflow would find out by loading it in a new process."""
    return [f"{package}=={packages[package]}" for package in PACKAGES if package in packages]


def _flavour(model: t.Any) -> t.Callable[..., t.Any]:
    import functools

    import mlflow
    from sklearn.base import BaseEstimator

    if isinstance(model, mlflow.pyfunc.PythonModel):
        return functools.partial(mlflow.pyfunc.log_model, python_model=model)
    if isinstance(model, BaseEstimator):
        return functools.partial(mlflow.sklearn.log_model, sk_model=model, serialization_format="cloudpickle")
    raise RayError(
        f"model: {type(model).__name__} is neither a scikit-learn estimator nor an mlflow.pyfunc.PythonModel;"
        " wrap it into a PythonModel, see examples/custom_v2"
    )


def _arguments(model: t.Any, example: t.Any) -> tuple[t.Any, ...]:
    """A PythonModel's predict has a context before the input, where it wants one."""
    import inspect

    wants = inspect.signature(model.predict).parameters
    return (None, example) if "context" in wants else (example,)
