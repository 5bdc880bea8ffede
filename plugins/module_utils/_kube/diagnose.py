# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Why an object does not become ready: its conditions, its pods, their last words and the events around them."""

from __future__ import annotations

import typing as t

from .client import Client
from .desired import references
from .errors import KubeError
from .objects import Key, Object
from .ready import FAILED, said, status_of
from .resources import EVENT, KNOWN, POD
from .sick import containers

LOG_LINES = 20
EVENT_LINES = 6
SICK_PODS = 2
OBJECTS = 5
SECRET = KNOWN["v1", "Secret"]


class Diagnosis(t.NamedTuple):
    """An object that is not ready, and its pods that are not."""

    key: Key
    reason: str
    object: Object
    pods: list[Object]


def diagnose_all(client: Client, found: t.Sequence[Diagnosis]) -> str:
    """The message about the first objects; the others are named."""
    text = "\n".join(diagnose(client, item) for item in found[:OBJECTS])
    rest = ", ".join(str(item.key) for item in found[OBJECTS:])
    return f"{text}\nand {len(found) - OBJECTS} more: {rest}" if rest else text


def used_secrets(client: Client, found: t.Sequence[Diagnosis]) -> list[Object]:
    """The Secrets that the pods of a message use, as far as they may be read."""
    names = {
        (item.key.namespace, name)
        for item in found[:OBJECTS]
        for pod in sick_pods(item)
        for kind, name in references(pod.get("spec"))
        if kind == "Secret"
    }
    read = client.each(lambda name: secret_of(client, *name), sorted(names))
    return [{"kind": SECRET.kind, **secret} for secret in read if secret]


def secret_of(client: Client, namespace: str, name: str) -> Object | None:
    """A Secret, or None where it is not there or may not be read."""
    try:
        return t.cast("Object | None", client.find(SECRET.path(namespace, name)))
    except KubeError:
        return None


def sick_pods(item: Diagnosis) -> list[Object]:
    """The pods that the message shows."""
    return (item.pods if item.key.kind != "Pod" else [item.object])[:SICK_PODS]


def diagnose(client: Client, item: Diagnosis) -> str:
    """The message about one object."""
    lines = [f"{item.key}: {item.reason.removeprefix(FAILED)}", *condition_lines(item.object)]
    lines += event_lines(client, item.key.namespace, item.key.kind, item.key.name)
    for pod in sick_pods(item):
        lines += pod_lines(client, pod)
    return "\n".join(lines)


def condition_lines(obj: Object) -> list[str]:
    """The conditions that are not as they should be."""
    bad = {"Failed", "Stalled", "ReplicaFailure"}
    return [
        f"  condition {item['type']}={item.get('status')}: {said(item)}"
        for item in status_of(obj).get("conditions") or []
        if (item.get("status") == "True") == (item["type"] in bad)
    ]


def pod_lines(client: Client, pod: Object) -> list[str]:
    """A pod: its containers' states, the last log lines of those that are not well, its events."""
    meta = pod["metadata"]
    where = f" on {pod['spec']['nodeName']}" if (pod.get("spec") or {}).get("nodeName") else ""
    lines = [f"  Pod {meta['namespace']}/{meta['name']}{where}: phase {status_of(pod).get('phase', 'unknown')}"]
    lines += [f"  {line}" for line in condition_lines(pod) if "ContainersNotReady" not in line]
    for container in containers(pod):
        if not is_well(container):
            lines.append(f"    container {container['name']}: {state_text(container)}")
            lines += log_lines(client, meta, container)
    return lines + [f"  {line}" for line in event_lines(client, meta["namespace"], "Pod", meta["name"])]


def is_well(container: t.Mapping[str, t.Any]) -> bool:
    """Whether a container is ready, or an init container that has done its work."""
    ended = (container.get("state") or {}).get("terminated") or {}
    return bool(container.get("ready")) or ended.get("exitCode") == 0


def state_text(container: t.Mapping[str, t.Any]) -> str:
    """The state of a container with its exit code, now and before."""
    parts = [one_state(container.get("state") or {})]
    last = container.get("lastState") or {}
    if last:
        parts.append(f"before: {one_state(last)}")
    if container.get("restartCount"):
        parts.append(f"{container['restartCount']} restarts")
    return "; ".join(parts)


def one_state(state: t.Mapping[str, t.Any]) -> str:
    """One state: waiting, running or terminated."""
    for name, value in state.items():
        found = [name, value.get("reason") or ""]
        if "exitCode" in value:
            found.append(f"exit code {value['exitCode']}")
        text = " ".join(filter(None, found))
        return f"{text}: {value['message'].strip()}" if value.get("message") else text
    return "unknown"


def log_lines(client: Client, meta: t.Mapping[str, t.Any], container: t.Mapping[str, t.Any]) -> list[str]:
    """The last log lines of a container: of the run before when it waits for the next one."""
    if not container.get("containerID"):
        return []
    path = POD.path(meta["namespace"], meta["name"]) + "/log"
    waits = bool(container.get("restartCount")) and "waiting" in (container.get("state") or {})
    said = "it said nothing"
    for previous in (waits, not waits) if container.get("restartCount") else (False,):
        query = {"container": container["name"], "tailLines": LOG_LINES, "previous": previous}
        try:
            text = str(client.request("GET", path, query, retries=False).body)
        except KubeError as error:
            said = str(error)
            continue
        # The runtime may have removed an old run with its log already.
        if text.strip() and not text.startswith("unable to retrieve container logs"):
            return [f"      | {line}" for line in text.splitlines()[-LOG_LINES:]]
    return [f"      (no log: {said})"]


def event_lines(client: Client, namespace: str, kind: str, name: str) -> list[str]:
    """The newest events of an object, warnings first in mind but all that help."""
    selector = f"involvedObject.kind={kind},involvedObject.name={name}"
    try:
        found = client.get(EVENT.path(namespace or "default"), {"fieldSelector": selector}).get("items") or []
    except KubeError:
        return []
    found.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
    seen = {
        f"  event {item.get('type')} {item.get('reason')}: {(item.get('message') or '').strip()}": None
        for item in found
    }
    return list(seen)[-EVENT_LINES:]
