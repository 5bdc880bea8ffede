#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One application of a RayService."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ray_serve_application
short_description: Deploy or shut down one Ray Serve application of a RayService
version_added: 0.1.0
description:
  - Makes one entry of C(spec.serveConfigV2) as wanted and leaves the others alone, also those that somebody changes
    at the same time.
  - Waits until the application runs, or is gone. When it does not run, the message has the application's own error, and
    what was there before is put back, so that one application's fault is not in the way of the others.
  - A new Ray cluster takes over from an old one only when all applications run on it.
options:
  name:
    description: Name of the application. It is needed, unless it stands in O(application).
    type: str
  application:
    description:
      - The entry as a whole, as M(mlops.platform.ray_serve_application_info) returns it, instead of the options for its
        fields.
    type: dict
  state:
    description: Whether the application is there.
    type: str
    choices: [present, absent]
    default: present
  import_path:
    description: Where its code is, as C(module.sub:builder). Needed, unless it stands in O(application).
    type: str
  route_prefix:
    description: Path at which it answers. The default is C(/) and its name.
    type: str
  args:
    description: Arguments of the builder.
    type: dict
  runtime_env:
    description:
      - Environment of its processes, such as a C(working_dir) at a remote URI. The values of C(env_vars) are not shown.
    type: dict
  deployments:
    description:
      - Settings of its deployments by C(name), as in Ray Serve's configuration.
      - C(max_replicas_per_node) is 1 where it is not given, so that the loss of one worker is no outage.
    type: list
    elements: dict
  logging_config:
    description: Settings of its log.
    type: dict
  autoscaling_policy:
    description: Policy over all its deployments.
    type: dict
  external_scaler_enabled:
    description: Whether something outside of Serve sets its number of replicas.
    type: bool
  on_failure:
    description: What becomes of the entry when the application does not run in time.
    type: str
    choices: [restore, keep]
    default: restore
  wait:
    description: Whether to wait.
    type: bool
    default: true
  wait_timeout:
    description: Longest wait in seconds.
    type: int
    default: 300
  built_in:
    description: Allows to change the platform's own application, the list of models.
    type: bool
    default: false
extends_documentation_fragment:
  - mlops.platform.ray_service
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: Where there is no RayService yet, the change is planned and named in RV(not_verified).
    support: full
  diff_mode:
    description: Values of environment variables are hidden.
    support: full
  idempotent:
    description: A second run changes nothing, and waits for the application too.
    support: full
seealso:
  - module: mlops.platform.ray_serve_application_info
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Serve a registered model with two replicas
  mlops.platform.ray_serve_application:
    name: iris
    import_path: mlops_serving.app:build
    args: {model_uri: "models:/iris@champion"}
    deployments:
      - name: Model
        num_replicas: 2
        ray_actor_options: {num_cpus: 0.5}

- name: Shut it down
  mlops.platform.ray_serve_application:
    name: iris
    state: absent
"""

RETURN = r"""
status:
  description: The application's status at the end, if it was waited for; empty when it is gone.
  returned: always
  type: str
  sample: RUNNING
route_prefix:
  description: Path at which the application answers.
  returned: when it is present
  type: str
  sample: /iris
seconds:
  description: How long it took.
  returned: always
  type: float
not_verified:
  description: In check mode, the application, if there is no RayService yet.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._ray import NotThereError, RayError, application
from ansible_collections.mlops.platform.plugins.module_utils._ray.deploy import Done, Options, deploy, undeploy
from ansible_collections.mlops.platform.plugins.module_utils._ray.service import Kube, Service
from ansible_collections.mlops.platform.plugins.module_utils._ray_kube import Params, argument_spec, kube_of, masked

FIELDS: dict[str, dict[str, t.Any]] = {
    "import_path": {"type": "str"},
    "route_prefix": {"type": "str"},
    "args": {"type": "dict"},
    "runtime_env": {"type": "dict"},
    "deployments": {"type": "list", "elements": "dict"},
    "logging_config": {"type": "dict"},
    "autoscaling_policy": {"type": "dict"},
    "external_scaler_enabled": {"type": "bool"},
}
SPEC: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str"},
    "application": {"type": "dict"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **FIELDS,
    "on_failure": {"type": "str", "choices": ["restore", "keep"], "default": "restore"},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 300},
    "built_in": {"type": "bool", "default": False},
}


def entry_of(params: Params) -> dict[str, t.Any]:
    """The application that the options describe."""
    given = {field: params[field] for field in ("name", *FIELDS) if params[field] is not None}
    return {**(params["application"] or {}), **given}


def options_of(params: Params, check_mode: bool) -> Options:
    """How to go about it."""
    return Options(
        timeout=params["wait_timeout"] if params["wait"] else 0,
        restore=params["on_failure"] == "restore",
        dry_run=check_mode,
        built_in=params["built_in"],
    )


def run(params: Params, check_mode: bool, kube: Kube) -> dict[str, t.Any]:
    """Do it, and say what was done."""
    service = Service(kube, params["namespace"], params["service"])
    entry = entry_of(params)
    name = str(entry.get("name") or "")
    present = params["state"] == "present"
    chosen = options_of(params, check_mode)
    try:
        done = deploy(service, entry, chosen) if present else undeploy(service, name, chosen)
    except NotThereError:
        if present and not check_mode:
            raise
        planned = application.checked(entry, [], 10**6, params["built_in"]) if present else None
        unverified = [name] if present else []
        return {**result(Done(present, None, planned)), "not_verified": unverified}
    return {**result(done), "not_verified": []}


def result(done: Done) -> dict[str, t.Any]:
    """What the module returns."""
    before, after = masked(done.before, done.after)
    found = {"changed": done.changed, "status": done.state.status, "seconds": done.seconds}
    if done.after is not None:
        found["route_prefix"] = done.after["route_prefix"]
    return {**found, "diff": {"before": before or {}, "after": after or {}}}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    module = make(
        argument_spec={**argument_spec(), **SPEC},
        required_one_of=[("name", "application")],
        required_if=[("state", "present", ["import_path", "application"], True)],
        supports_check_mode=True,
    )
    try:
        with kube_of(module.params) as kube:
            module.exit_json(**run(module.params, module.check_mode, kube))
    except RayError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
