#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registered model as a Ray Serve application."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_model
short_description: Deploy or shut down a model of MLflow's registry
version_added: 0.1.0
description:
  - Finds the version that is meant in MLflow, checks that the environment which serves is the one that made it, and
    makes it an application of the RayService, as M(mlops.platform.ray_serve_application) does.
  - Deployed is always a version. An alias is resolved at this moment; when it moves, run the task again.
options:
  model:
    description:
      - The registered model as V(iris) (its newest version), V(iris/3) or V(iris@champion).
      - With O(state=absent), a version that is not the one that is served is refused.
    type: str
    required: true
  name:
    description: Name of the application. The default is made of the model's name, unless another model has it.
    type: str
  state:
    description: Whether the model is served. V(absent) needs no MLflow.
    type: str
    choices: [present, absent]
    default: present
  route_prefix:
    description: Path at which it answers. The default is C(/) and the application's name.
    type: str
  replicas:
    description: Number of replicas.
    type: int
    default: 2
  cpus:
    description: CPUs that each replica counts for.
    type: float
    default: 1
  gpus:
    description: GPUs that each replica counts for.
    type: float
  memory:
    description: Memory in bytes that each replica counts for.
    type: int
  max_ongoing_requests:
    description: Requests that a replica takes at a time.
    type: int
  max_replicas_per_node:
    description: Replicas that may run on one worker. The default is 1, so that the loss of a worker is no outage.
    type: int
  batching:
    description: Settings of batches, with C(max_batch_size) and C(wait_s).
    type: dict
  env_policy:
    description: What happens when the model was made in another environment.
    type: str
    choices: [enforce, warn]
    default: enforce
  on_failure:
    description: What becomes of the entry when the model does not run in time.
    type: str
    choices: [restore, keep]
    default: restore
  wait_timeout:
    description: Longest wait in seconds.
    type: int
    default: 300
  mlflow_namespace:
    description: Namespace of MLflow and of O(mlflow_secret). The default is O(namespace).
    type: str
  mlflow_service:
    description: Service of MLflow, reached by a port-forward through the API server.
    type: str
    default: mlflow
  mlflow_port:
    description: Port of the Service.
    type: int
    default: 5000
  mlflow_tls:
    description: Whether the Service speaks TLS.
    type: bool
    default: false
  mlflow_endpoint:
    description: URL of MLflow, instead of the port-forward.
    type: str
  mlflow_ca_file:
    description: CA certificates for O(mlflow_endpoint).
    type: path
  mlflow_secret:
    description: Secret with the C(username) and C(password) of a user who may read the model.
    type: str
    default: mlflow-ray
extends_documentation_fragment:
  - mlops.platform.ray_service
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: MLflow is asked; the RayService is not changed. Without one of them RV(not_verified) says so.
    support: full
  diff_mode:
    description: The entry of the Serve configuration.
    support: full
  idempotent:
    description: A second run changes nothing, unless a newer version or another alias is meant.
    support: full
seealso:
  - module: mlops.platform.ray_serve_application
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Serve the champion
  mlops.platform.ray_model:
    model: iris@champion
    replicas: 2
    cpus: 0.5

- name: Shut it down
  mlops.platform.ray_model:
    model: iris
    state: absent
"""

RETURN = r"""
application:
  description: Name of the application.
  returned: always
  type: str
  sample: iris
version:
  description: The version that is served.
  returned: when it is present
  type: str
  sample: "3"
status:
  description: The application's status at the end; empty when it is gone.
  returned: always
  type: str
  sample: RUNNING
route_prefix:
  description: Path at which it answers.
  returned: when it is present
  type: str
  sample: /iris
seconds:
  description: How long it took.
  returned: always
  type: float
not_verified:
  description: In check mode, the application, if there is no RayService or no MLflow yet.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._mlflow import MlflowError
from ansible_collections.mlops.platform.plugins.module_utils._mlflow import NotThereError as MlflowNotThereError
from ansible_collections.mlops.platform.plugins.module_utils._mlflow.models import find
from ansible_collections.mlops.platform.plugins.module_utils._mlflow.run import Connect, connect
from ansible_collections.mlops.platform.plugins.module_utils._ray import NotThereError, RayError, contract, model
from ansible_collections.mlops.platform.plugins.module_utils._ray.deploy import Done, Options, deploy, undeploy
from ansible_collections.mlops.platform.plugins.module_utils._ray.service import Kube, Service
from ansible_collections.mlops.platform.plugins.module_utils._ray_kube import Params, argument_spec, kube_of, masked

SPEC: dict[str, dict[str, t.Any]] = {
    "model": {"type": "str", "required": True},
    "name": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "route_prefix": {"type": "str"},
    "replicas": {"type": "int", "default": 2},
    "cpus": {"type": "float", "default": 1},
    "gpus": {"type": "float"},
    "memory": {"type": "int"},
    "max_ongoing_requests": {"type": "int"},
    "max_replicas_per_node": {"type": "int"},
    "batching": {"type": "dict"},
    "env_policy": {"type": "str", "choices": ["enforce", "warn"], "default": "enforce"},
    "on_failure": {"type": "str", "choices": ["restore", "keep"], "default": "restore"},
    "wait_timeout": {"type": "int", "default": 300},
    "mlflow_namespace": {"type": "str"},
    "mlflow_service": {"type": "str", "default": "mlflow"},
    "mlflow_port": {"type": "int", "default": 5000},
    "mlflow_tls": {"type": "bool", "default": False},
    "mlflow_endpoint": {"type": "str"},
    "mlflow_ca_file": {"type": "path"},
    "mlflow_secret": {"type": "str", "default": "mlflow-ray", "no_log": False},
}


def mlflow_params(params: Params) -> dict[str, t.Any]:
    """How MLflow is reached, as its own module takes it."""
    own = {name: params[f"mlflow_{name}"] for name in ("service", "port", "tls", "endpoint", "ca_file")}
    login = {"login_secret": params["mlflow_secret"], "admin_username": "", "admin_password": ""}
    return {**params, **own, **login, "namespace": params["mlflow_namespace"] or params["namespace"]}


def run(params: Params, check_mode: bool, kube: Kube, way: Connect = connect) -> tuple[dict[str, t.Any], str]:
    """Do it; what was done, and a warning."""
    service = Service(kube, params["namespace"], params["service"])
    meant = model.reference(params["model"])
    name = params["name"] or model.application_name(meant.name)
    options = Options(params["wait_timeout"], params["on_failure"] == "restore", check_mode)
    try:
        if params["state"] == "absent":
            return _absent(service, name, meant, options), ""
        return _present(params, service, name, options, way)
    except (NotThereError, MlflowNotThereError):
        if not check_mode:
            raise
        return {**_result(name, Done(True, None, None)), "status": "", "not_verified": [name]}, ""


def _absent(service: Service, name: str, meant: model.Reference, options: Options) -> dict[str, t.Any]:
    try:
        model.check_served(service.application(name), meant)
        done = undeploy(service, name, options)
    except NotThereError:
        done = Done(False, None, None)  # without a RayService nothing runs
    return {**_result(name, done), "status": done.state.status}


def _present(
    params: Params, service: Service, name: str, options: Options, way: Connect
) -> tuple[dict[str, t.Any], str]:
    with way(mlflow_params(params)) as client:
        found = find(client, model.reference(params["model"]))
    warning = contract.check(found.env_id, serving(service), params["env_policy"])
    if not params["name"]:
        model.check_free(service.application(name), found.name)
    resources = {field: params[field] for field in model.RESOURCES if params[field] is not None}
    entry = model.entry(
        name, model.uri(found.name, found.version), resources, params["batching"], route_prefix=params["route_prefix"]
    )
    done = deploy(service, entry, options)
    route = (done.after or {})["route_prefix"]
    more = {"version": found.version, "route_prefix": route, "status": done.state.status}
    return {**_result(name, done), **more}, warning


def serving(service: Service) -> contract.Environment:
    """The environment of the image that the RayService runs."""
    about = service.read()
    if contract.ANNOTATION not in (about["metadata"].get("annotations") or {}):
        raise RayError(f"the RayService does not say its environment ({contract.ANNOTATION}); run the role ray_service")
    return contract.of_service(about, contract.Environment(""))


def _result(name: str, done: Done) -> dict[str, t.Any]:
    before, after = masked(done.before, done.after)
    diff = {"before": before or {}, "after": after or {}}
    return {"changed": done.changed, "application": name, "seconds": done.seconds, "diff": diff, "not_verified": []}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    module = make(argument_spec={**argument_spec(), **SPEC}, supports_check_mode=True)
    try:
        with kube_of(module.params) as kube:
            done, warning = run(module.params, module.check_mode, kube)
    except (RayError, MlflowError) as error:
        module.fail_json(msg=str(error))
    if warning:
        module.warn(warning)
    module.exit_json(**done)


if __name__ == "__main__":
    main()
