# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a cluster before anything is installed. The documentation is in plugins/modules/cluster_preflight.py."""

from __future__ import annotations

import base64
import typing as t

from ..module_utils._kube.client import Client
from ..module_utils._kube.errors import KubeError
from ..module_utils._kube.mask import Mask
from ..module_utils._preflight import capacity, components, images, permissions, verdict
from ..module_utils._preflight.verdict import Verdict
from ..plugin_utils._kube_action import KubeAction, Result, untagged
from ..plugin_utils._roles import defaults

Object = dict[str, t.Any]
Step = tuple[str, t.Callable[[], Verdict]]
DOCKER = "kubernetes.io/dockerconfigjson"


class ActionModule(KubeAction):
    """The action plugin cluster_preflight."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "roles": {"type": "list", "elements": "str", "required": True},
        "namespaces": {"type": "list", "elements": "str", "required": True},
        "node_networks": {"type": "list", "elements": "str", "required": True},
        "pull_secrets": {"type": "list", "elements": "str", "default": []},
        "login_secret": {"type": "str", "default": ""},
        "login": {"type": "str", "no_log": True},
        "warn_only": {"type": "list", "elements": "str", "default": []},
        "timeout": {"type": "int", "default": 300},
    }

    def act(self, args: dict[str, t.Any], task_vars: dict[str, t.Any], mask: Mask) -> Result:
        """All checks; the later ones need what the earlier ones look for."""
        del mask
        settings = {role: self.settings(role, task_vars) for role in args["roles"]}
        try:
            with self.connect(args, task_vars) as client:
                checks = [verdict.version(client.get("/version"))]
                checks.insert(0, Verdict("reachability", "ok", f"{client.transport.connection.server} answers"))
                checks += made([("permissions", lambda: self.allowed(client, args, settings))])
                if all(check.status != "failed" for check in checks):
                    checks += self.cluster(client, args, settings)
        except KubeError as error:
            checks = [Verdict("reachability", "failed", str(error))]
        return result(checks, args["warn_only"])

    def allowed(self, client: Client, args: dict[str, t.Any], settings: dict[str, Object]) -> Verdict:
        """Whether everything that the wanted roles do is allowed."""
        roles = [role for role, values in settings.items() if components.wanted(role, values)]
        certified = any(components.certified(role, values) for role, values in settings.items())
        return verdict.permissions(
            permissions.missing(client, permissions.wanted(args["namespaces"], roles, certified))
        )

    def cluster(self, client: Client, args: dict[str, t.Any], settings: dict[str, Object]) -> list[Verdict]:
        """Nodes, capacity and images."""
        try:
            nodes, pods = (found["items"] for found in client.each(client.get, ("/api/v1/nodes", "/api/v1/pods")))
        except KubeError as error:
            return [Verdict("node addresses", "failed", str(error))]
        wanted = {image for role, values in settings.items() for image in components.images(role, values)}
        here = images.in_use(pods, args["namespaces"]) | images.on_nodes(nodes)
        return made(
            [
                ("node addresses", lambda: verdict.addresses(nodes, args["node_networks"])),
                ("capacity", lambda: fits(nodes, pods, args["namespaces"], settings)),
                ("images", lambda: self.pulled(client, args, sorted(wanted - here), len(wanted & here))),
            ]
        )

    def pulled(self, client: Client, args: dict[str, t.Any], wanted: list[str], known: int) -> Verdict:
        """Pull what is not on the nodes yet."""
        if wanted and self._task.check_mode:
            return Verdict("images", "skipped", f"check mode makes no pods; {len(wanted)} images were not pulled")
        broken = images.pulled(client, wanted, self.pull_secrets(client, args), args["timeout"])
        return verdict.images(broken, known, len(wanted))

    def pull_secrets(self, client: Client, args: dict[str, t.Any]) -> list[Object]:
        """The pull Secrets as they are in the components' namespace, or as the role cluster_base will make them."""
        path = f"/api/v1/namespaces/{args['namespaces'][0]}/secrets/"
        found = {name: client.find(path + name) for name in args["pull_secrets"]}
        if args["login"] and args["login_secret"] in found:
            data = {".dockerconfigjson": base64.b64encode(args["login"].encode()).decode()}
            found[args["login_secret"]] = {"metadata": {"name": args["login_secret"]}, "type": DOCKER, "data": data}
        return [secret for secret in found.values() if secret]

    def settings(self, role: str, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """The values of a role's variables that say what it runs."""
        own = defaults(role, self._loader)
        names = components.interesting(role, own)
        templar = self._templar.copy_with_new_env(available_variables={**own, **task_vars})
        values = {name: templar.template(task_vars.get(name, own[name])) for name in names}
        return t.cast("dict[str, t.Any]", untagged(values))


def fits(nodes: list[Object], pods: list[Object], own: list[str], settings: dict[str, Object]) -> Verdict:
    """Whether there is room for what the roles' variables request."""
    demands = {role: components.demands(role, values, len(nodes)) for role, values in settings.items()}
    every = [one for found in demands.values() for one in found]
    return capacity.verdict(every, capacity.rooms(nodes, pods, own), demands.get("ray_service", ()))


def made(steps: t.Iterable[Step]) -> list[Verdict]:
    """The verdicts; what keeps a check from being made is its failure."""
    found = []
    for name, check in steps:
        try:
            found.append(check())
        except KubeError as error:
            found.append(Verdict(name, "failed", str(error)))
    return found


def result(checks: list[Verdict], warn_only: list[str]) -> Result:
    """The result of the task; a failed check that shall only warn is a warning."""
    judged = [
        check._replace(status="warning") if check.status == "failed" and check.check in warn_only else check
        for check in checks
    ]
    return {
        "changed": False,
        "checks": [check._asdict() for check in judged],
        "lines": [check.line for check in judged],
    }
