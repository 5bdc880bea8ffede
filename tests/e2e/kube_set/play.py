"""Runs ansible-playbook on a small project with one role, and gives back what each task returned."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
Task = dict[str, t.Any]


class Run(t.NamedTuple):
    """One run: the results of its tasks by name, all that was printed, and what was logged."""

    tasks: dict[str, Task]
    output: str
    log: str
    status: int

    def __getitem__(self, name: str) -> Task:
        """The result of a task."""
        return self.tasks[name]


class Project:
    """A playbook, an inventory with one cluster, and a role named demo."""

    def __init__(self, folder: Path, variables: Task) -> None:
        self.folder = folder
        self.variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **variables}
        self.templates = folder / "roles" / "demo" / "templates" / "kube"
        self.templates.mkdir(parents=True)
        (folder / "roles" / "demo" / "tasks").mkdir()

    def template(self, name: str, text: str) -> None:
        """Write a template of the role."""
        (self.templates / name).write_text(text)

    def clear(self) -> None:
        """Remove the role's templates."""
        for path in self.templates.iterdir():
            path.unlink()

    def run(self, *tasks: Task, arguments: t.Sequence[str] = (), variables: Task | None = None, **environ: str) -> Run:
        """Run tasks of kube_set (or of the module that a task names) inside the role."""
        named = [self.named(number, task) for number, task in enumerate(tasks)]
        (self.folder / "roles" / "demo" / "tasks" / "main.yml").write_text(yaml.safe_dump(named, sort_keys=False))
        hosts = {"all": {"hosts": {"cluster": {**self.variables, **(variables or {})}}}}
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(hosts))
        play = {"hosts": "all", "gather_facts": False, "roles": ["demo"], "post_tasks": [self.report(named)]}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]))
        return self.played(arguments, environ)

    def named(self, number: int, task: Task) -> Task:
        """A task that goes on after a failure and keeps its result."""
        task = dict(task)
        name = task.pop("_name", f"task {number}")
        module = task.pop("_module", "kube_set")
        return {"name": name, f"mlops.platform.{module}": task, "ignore_errors": True, "register": f"result_{number}"}

    def report(self, named: t.Sequence[Task]) -> Task:
        """Write down all results."""
        found = ", ".join(f"{json.dumps(task['name'])}: {task['register']}" for task in named)
        content = "{{ {" + found + "} | to_json }}"
        dest = str(self.folder / "results.json")
        return {
            "ansible.builtin.copy": {"content": content, "dest": dest, "mode": "0600"},
            "check_mode": False,
            "diff": False,
        }

    def played(self, arguments: t.Sequence[str], environ: t.Mapping[str, str]) -> Run:
        """Run the playbook."""
        log = self.folder / "ansible.log"
        log.unlink(missing_ok=True)
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOG_PATH": str(log),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "K8S_"))}
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "hosts.yml", "play.yml", *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**inherited, **settings, **environ},
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        results = self.folder / "results.json"
        tasks = json.loads(results.read_text()) if results.exists() else {}
        results.unlink(missing_ok=True)
        logged = log.read_text() if log.exists() else ""
        return Run(tasks, done.stdout + done.stderr, logged, done.returncode)
