"""A platform of a test's own: namespace, folders on nfs01 and StorageClasses, as Molecule's scenarios have."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import signal
import subprocess
import typing as t
from pathlib import Path

from e2e.cluster import ROOT, Cluster

SHARED = "molecule/shared"


@dataclasses.dataclass
class Platform:
    """Runs the collection's roles for one scenario."""

    cluster: Cluster
    components: t.Sequence[str]
    variables: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    # Whether the folders are the platform's own, or another's that it is given too.
    own_folders: bool = True
    scenario: str = dataclasses.field(default_factory=lambda: f"e2e-{secrets.token_hex(3)}")

    @property
    def namespace(self) -> str:
        """The namespace of the components."""
        return f"molecule-{self.scenario}"

    @property
    def folder(self) -> str:
        """The platform's folder on the storage machine."""
        return str(self.variables.get("mlops_nfs_folder", f"molecule-{self.cluster.name}-{self.scenario}"))

    def roles(self, *names: str, check: bool = True, **variables: t.Any) -> str:
        """Run roles; the output of ansible-playbook."""
        return self.play(
            "tests/e2e/roles.yml", check=check, roles_under_test=list(names or self.components), **variables
        )

    def play(self, playbook: str, *options: str, check: bool = True, **variables: t.Any) -> str:
        """Run a playbook with the scenario's variables."""
        extra = {"scenario": self.scenario, "scenario_components": list(self.components), **self.variables, **variables}
        command = [
            str(ROOT / ".venv/bin/ansible-playbook"),
            "-i",
            "inventories/lab",
            "--limit",
            f"{self.cluster.name},storage",
        ]
        command += [] if self.own_folders else ["--skip-tags", "exports"]
        command += ["--extra-vars", "@molecule/shared.yml", "--extra-vars", json.dumps(extra), *options, playbook]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert not check or result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
        return result.stdout + result.stderr

    def pod(self, name: str) -> dict[str, t.Any]:
        """A pod of the platform."""
        return t.cast("dict[str, t.Any]", self.cluster.get("pod", name, f"--namespace={self.namespace}"))

    def logs(self, name: str, *options: str) -> str:
        """What a pod said."""
        return self.cluster.kubectl("logs", name, f"--namespace={self.namespace}", *options)

    def signal(self, name: str, number: signal.Signals, wrapper_only: bool = False) -> None:
        """Send a signal to the processes of a pod, as a node that is paused or a kernel that kills does."""
        mark = f"LEASE_POD_UID={self.pod(name)['metadata']['uid']}".encode()
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                wanted = process.name.isdigit() and mark in (process / "environ").read_bytes().split(b"\0")
                if wanted and (not wrapper_only or (process / "cmdline").read_bytes().startswith(b"lease\0")):
                    os.kill(int(process.name), number)


@contextlib.contextmanager
def own_platform(
    cluster: Cluster, *components: str, own_folders: bool = True, **variables: t.Any
) -> t.Iterator[Platform]:
    """A platform that is removed at the end with all its data."""
    platform = Platform(cluster, components, variables, own_folders)
    try:
        platform.play(f"{SHARED}/prepare.yml")
        yield platform
    finally:
        platform.play(f"{SHARED}/cleanup.yml")
