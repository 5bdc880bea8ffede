# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wait for the pods that check volumes and read their reports. The documentation is in plugins/modules/nfs_check.py."""

from __future__ import annotations

import json
import time
import typing as t

from ..module_utils._kube.client import Client
from ..module_utils._kube.errors import KubeError
from ..module_utils._kube.mask import Mask
from ..module_utils._kube.watch import Watch
from ..plugin_utils._kube_action import KubeAction, Result

LABEL = "mlops.platform/nfs-check"
Object = dict[str, t.Any]


class ActionModule(KubeAction):
    """The action plugin nfs_check."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "namespace": {"type": "str", "required": True},
        "components": {"type": "list", "elements": "str", "required": True},
        "timeout": {"type": "int", "default": 120},
    }

    def act(self, args: dict[str, t.Any], task_vars: dict[str, t.Any], mask: Mask) -> Result:
        """Watch until every pod has ended or the time is up."""
        del mask
        with self.connect(args, task_vars) as client:
            pods = follow(client, args["namespace"], set(args["components"]), args["timeout"])
            reports = {name: report(client, pods.get(name)) for name in args["components"]}
        return {"changed": False, "reports": reports}


def follow(client: Client, namespace: str, components: set[str], seconds: float) -> dict[str, Object]:
    """The pods of the components, as they ended or as they are when the time is up."""
    pods: dict[str, Object] = {}
    end = time.monotonic() + seconds
    with Watch(client) as watch:
        watch.follow("pods", f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": LABEL})
        while {name for name, pod in pods.items() if ended(pod)} != components:
            event = watch.next(end - time.monotonic())
            if event is None:
                break
            if event.type == "FAILED":
                raise KubeError(f"the pods of the check cannot be watched: {event.object}")
            found = event.object["items"] if event.type == "LISTED" else [event.object]
            pods.update({pod["metadata"]["labels"][LABEL]: pod for pod in found})
    return pods


def ended(pod: Object) -> bool:
    """Whether the pod's program has ended."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def report(client: Client, pod: Object | None) -> Object:
    """What the pod wrote, or why it wrote nothing."""
    if pod is None:
        return {"error": "its pod was not made"}
    statuses = pod["status"].get("containerStatuses") or [{}]
    terminated = statuses[0].get("state", {}).get("terminated")
    if terminated and terminated.get("message"):
        try:
            return t.cast("Object", json.loads(terminated["message"]))
        except ValueError:
            return {"error": terminated["message"]}
    waiting = statuses[0].get("state", {}).get("waiting") or {}
    return {"error": trouble(client, pod) or waiting.get("message") or f"its pod is {pod['status'].get('phase')}"}


def trouble(client: Client, pod: Object) -> str:
    """The newest warning about the pod."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    query = {"fieldSelector": f"involvedObject.name={name},type=Warning"}
    events = client.get(f"/api/v1/namespaces/{namespace}/events", query)["items"]
    newest = max(events, key=lambda event: event.get("lastTimestamp") or "", default=None)
    return " ".join(newest["message"].split()) if newest else ""
