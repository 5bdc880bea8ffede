"""A cluster of the lab as tests see it: kubectl with what tests do often."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
Manifest = dict[str, t.Any]

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


class Cluster:
    """One cluster of the running lab."""

    def __init__(self, facts: Manifest, kube: str) -> None:
        self.facts, self.name, self._kube = facts, facts["name"], kube

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 180) -> str:
        """Run kubectl; its standard output. The error message of a failure has kubectl's own."""
        command = [self._kube, "kubectl", "--kubeconfig", self.facts["kubeconfig"], *arguments]
        result = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
        assert not check or result.returncode == 0, f"{' '.join(arguments)}: {result.stderr}"
        return result.stdout if result.returncode == 0 else result.stdout + result.stderr

    def popen(self, *arguments: str, **keywords: t.Any) -> subprocess.Popen[str]:
        """Start kubectl in the background."""
        command = [self._kube, "kubectl", "--kubeconfig", self.facts["kubeconfig"], *arguments]
        return subprocess.Popen(command, text=True, **keywords)

    def get(self, *arguments: str) -> t.Any:
        """Objects as data."""
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def apply(self, *objects: Manifest) -> None:
        """Apply objects."""
        self.kubectl("apply", "--server-side", "--filename=-", stdin=yaml.safe_dump_all(objects))

    def wait(self, condition: str, what: str, namespace: str, timeout: int = 120) -> None:
        """Wait for a condition; kubectl watches, nothing is polled here."""
        self.kubectl(
            "wait",
            f"--for={condition}",
            what,
            f"--namespace={namespace}",
            f"--timeout={timeout}s",
            timeout=timeout + 10,
        )

    def execute(self, namespace: str, pod: str, *command: str, check: bool = True, timeout: float = 180) -> str:
        """Run a command in a pod."""
        return self.kubectl("exec", f"--namespace={namespace}", pod, "--", *command, check=check, timeout=timeout)

    @contextlib.contextmanager
    def forwarded(self, namespace: str, target: str, port: int) -> t.Iterator[str]:
        """Forward a port of a pod or Service to this machine; gives host:port."""
        command = ("port-forward", f"--namespace={namespace}", target, f":{port}", "--address=127.0.0.1")
        with self.popen(*command, stdout=subprocess.PIPE) as forward:
            try:
                assert forward.stdout is not None
                match = re.search(r"127\.0\.0\.1:\d+", forward.stdout.readline())
                assert match, f"{target} was not forwarded"
                yield match[0]
            finally:
                forward.terminate()


def pod(name: str, image: str, command: t.Sequence[str], **options: t.Any) -> Manifest:
    """A pod that the restricted profile admits. Options: uid, gid, claim (mounted at /data), pull_secret."""
    uid = options.get("uid", 999)
    container: Manifest = {"name": "main", "image": image, "command": list(command), "securityContext": RESTRICTED}
    spec: Manifest = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsUser": uid, "runAsGroup": options.get("gid", uid)},
        "containers": [container],
        "imagePullSecrets": [{"name": options["pull_secret"]}] if options.get("pull_secret") else [],
    }
    if "claim" in options:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": options["claim"]}}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def claim(name: str, storage_class: str, mode: str = "ReadWriteOnce") -> Manifest:
    """A claim of 1 GiB."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": [mode],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def in_namespace(namespace: str, *objects: Manifest) -> list[Manifest]:
    """The objects with their namespace."""
    return [{**o, "metadata": {**o["metadata"], "namespace": namespace}} for o in objects]
