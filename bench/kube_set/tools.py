"""The tools that are compared. Each works on namespaces of its own, so that none meets the fields of another."""

from __future__ import annotations

import json
import os
import sys
import typing as t
from pathlib import Path

import yaml
from objects import objects

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = str(Path(sys.executable).parent / "ansible-playbook")
Action = t.Literal["first", "noop", "check", "change"]
Command = list[str]


class Cluster(t.NamedTuple):
    """Where the objects go: a kubeconfig for the direct way and one through the delay proxy."""

    kubectl: Command
    other: Command  # another kubectl, or nothing
    kubeconfigs: dict[int, Path]  # by round trip time in milliseconds
    servers: dict[int, str]


class Tool:
    """A way to apply the objects."""

    name = ""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder / self.name
        self.folder.mkdir(parents=True)
        self.prefix = f"bench-{self.name}"
        self.changes = 0

    def prefixes(self, hosts: int) -> list[str]:
        """The beginning of the names of each host's namespaces."""
        return [f"{self.prefix}-{number:02}" for number in range(hosts)]

    def prepare(self, action: Action, hosts: int) -> None:
        """Write down the objects; for a change one field of each host's gets a new value."""
        if action == "change":
            self.changes += 1
        self.write(hosts, f"change {self.changes}")

    def write(self, hosts: int, changed: str) -> None:
        """Write the objects in the form that the tool reads: here a file for each host."""
        for prefix in self.prefixes(hosts):
            everything = [obj for items in objects(prefix, changed).values() for obj in items]
            (self.folder / f"{prefix}.yml").write_text(yaml.safe_dump_all(everything, sort_keys=False))

    def command(self, action: Action, rtt: int, hosts: int) -> Command:
        """The command of one measurement."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The environment of the command."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "K8S_"))},
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            "KUBECACHEDIR": str(self.folder / "cache"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }


class Kubectl(Tool):
    """kubectl apply --server-side."""

    name = "kubectl"

    def program(self) -> Command:
        """The kubectl of the lab's version."""
        return self.cluster.kubectl

    def command(self, action: Action, rtt: int, hosts: int) -> Command:
        """One kubectl; for several hosts one after the other, as a shell loop would."""
        config = str(self.cluster.kubeconfigs[rtt])
        apply = [*self.program(), "--kubeconfig", config, "apply", "--server-side"]
        if action == "check":
            apply.append("--dry-run=server")
        files = [f"{prefix}.yml" for prefix in self.prefixes(hosts)]
        loop = 'for file in $0; do "$@" -f "$file" || exit 1; done'
        return ["sh", "-c", loop, " ".join(files), *apply]


class OtherKubectl(Kubectl):
    """The same by the kubectl that was named."""

    name = "other-kubectl"

    def program(self) -> Command:
        """The kubectl that was named."""
        return self.cluster.other


class Playbook(Tool):
    """An ansible-playbook."""

    def command(self, action: Action, rtt: int, hosts: int) -> Command:
        """One playbook over all hosts."""
        names = {f"host{number:02}": {"prefix": prefix} for number, prefix in enumerate(self.prefixes(hosts))}
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "cluster_kubeconfig": str(self.cluster.kubeconfigs[rtt]),
            "cluster_server": self.cluster.servers[rtt],
        }
        (self.folder / "hosts.json").write_text(json.dumps({"all": {"hosts": names, "vars": variables}}))
        check = ["--check"] if action == "check" else []
        return [PLAYBOOK, "-i", "hosts.json", "--forks", str(min(hosts, 50)), "play.yml", *check]

    def play(self, **content: t.Any) -> None:
        """Write the playbook."""
        text = yaml.safe_dump([{"hosts": "all", "gather_facts": False, **content}], sort_keys=False, width=10**6)
        (self.folder / "play.yml").write_text(text)


class KubeSet(Playbook):
    """kube_set, as a role uses it: it renders templates."""

    name = "kube-set"

    def write(self, hosts: int, changed: str) -> None:
        """A role with one template per kind."""
        role = self.folder / "roles" / "bench"
        for part in ("tasks", "templates/kube"):
            (role / part).mkdir(parents=True, exist_ok=True)
        for kind, items in objects("{{ prefix }}", changed).items():
            (role / "templates" / "kube" / f"{kind}.yml.j2").write_text(yaml.safe_dump_all(items, sort_keys=False))
        options = {"name": "bench", "namespace": "{{ prefix }}-0", "wait": False}
        task = {"name": "Apply", "mlops.platform.kube_set": options}
        (role / "tasks" / "main.yml").write_text(yaml.safe_dump([task], sort_keys=False))
        self.play(roles=["bench"])


def core_task(definition: t.Any) -> t.Any:
    """A task of kubernetes.core."""
    return {
        "name": "Apply",
        "kubernetes.core.k8s": {
            "kubeconfig": "{{ cluster_kubeconfig }}",
            "apply": True,
            "server_side_apply": {"field_manager": "bench"},
            "definition": definition,
        },
    }


class CoreList(Playbook):
    """kubernetes.core.k8s: one task with the list of all objects."""

    name = "core-list"

    def write(self, hosts: int, changed: str) -> None:
        """The objects in one file for each host, which a lookup reads."""
        super().write(hosts, changed)
        lookup = "{{ lookup('ansible.builtin.file', playbook_dir ~ '/' ~ prefix ~ '.yml') | from_yaml_all | list }}"
        self.play(tasks=[core_task(lookup)])


class CoreEach(Playbook):
    """kubernetes.core.k8s: one task for each object."""

    name = "core-each"

    def write(self, hosts: int, changed: str) -> None:
        """The objects as tasks."""
        found = objects("{{ prefix }}", changed)
        self.play(tasks=[core_task(obj) for items in found.values() for obj in items])


class Nothing(Playbook):
    """A playbook of one task that does nothing: what every run of Ansible costs before it works."""

    name = "nothing"

    def write(self, hosts: int, changed: str) -> None:
        """The task."""
        self.play(tasks=[{"name": "Do nothing", "ansible.builtin.debug": {"msg": ""}}])


TOOLS: tuple[type[Tool], ...] = (KubeSet, Kubectl, OtherKubectl, CoreList, CoreEach, Nothing)
