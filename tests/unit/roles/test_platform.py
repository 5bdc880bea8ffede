# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook of the components: what runs with which tags."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from rendering import ROOT

PLAYBOOK = ROOT / "playbooks" / "platform.yml"


def tasks_only(folder: Path, **variables: object) -> Path:
    """The playbook without its roles, and with a word in place of the one task that reaches into a cluster."""
    *_, play = yaml.safe_load(PLAYBOOK.read_text())
    *others, last = play["tasks"]
    assert last["ansible.builtin.include_role"]["tasks_from"] == "retire"
    told = {"ansible.builtin.debug": {"msg": "retired"}, "when": last["when"], "tags": last["tags"]}
    path = folder / "play.yml"
    own = [task for task in others if "ansible.builtin.import_role" not in task]
    path.write_text(yaml.safe_dump([{**play, "vars": variables, "tasks": [*own, told]}]))
    return path


@pytest.mark.parametrize(
    ("tags", "ended"), [([], True), (["redis"], False), (["ray_service"], False), (["redis", "ray_service"], True)]
)
def test_an_old_password_of_redis_ends_only_where_ray_has_the_new_one(
    tmp_path: Path, tags: list[str], ended: bool
) -> None:
    assert retires(tasks_only(tmp_path), *(["--tags", ",".join(tags)] if tags else [])) is ended


@pytest.mark.parametrize("others", [0, 1])
def test_nothing_ends_where_no_old_password_is_valid(tmp_path: Path, others: int) -> None:
    assert retires(tasks_only(tmp_path, redis_accepted={"others": others})) is bool(others)


def retires(play: Path, *options: str) -> bool:
    """Whether a run comes to the last task."""
    (play.parent / "ansible.cfg").write_text("[defaults]\n")
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", "one,", "-c", "local", *options, str(play)]
    done = subprocess.run(command, cwd=play.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.dumps("retired") in done.stdout


@pytest.mark.parametrize("role", ["redis", "mlflow"])
def test_a_run_for_one_role_makes_the_table_of_components_too(role: str) -> None:
    """Without it each of a hundred values makes the table anew, which costs a second."""
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", "inventories/prod", str(PLAYBOOK), "--list-tasks"]
    said = subprocess.check_output([*command, "--tags", role], cwd=ROOT, text=True)
    assert "defaults : Make the table of components" in said


def tasks_of(name: str) -> list[dict[str, t.Any]]:
    """The tasks of a playbook's last play."""
    return t.cast("list[dict[str, t.Any]]", yaml.safe_load((ROOT / "playbooks" / name).read_text())[-1]["tasks"])


def roles_of(name: str, action: str) -> list[str]:
    """The roles of a playbook in the order of its tasks."""
    found = [task[action]["name"] for task in tasks_of(name) if action in task]
    return [role.removeprefix("mlops.platform.") for role in found]


def test_what_the_playbook_installs_is_removed_in_reverse_order() -> None:
    installed = roles_of("platform.yml", "ansible.builtin.import_role")
    removed = roles_of("uninstall.yml", "ansible.builtin.include_role")
    assert removed[-1] == "nfs_exports", "the storage server comes last, and only with a purge"
    # nfs_check leaves nothing on a cluster.
    assert removed[:-1] == [role for role in reversed(installed) if role != "nfs_check"]


def test_the_claims_of_all_components_are_removed() -> None:
    """A role keeps its claim; the uninstallation removes those of its sets."""
    sets = yaml.safe_load((ROOT / "playbooks/report.yml").read_text())[0]["vars"]["report_sets"]
    (task,) = [task for task in tasks_of("uninstall.yml") if task["name"] == "Remove the claims"]
    claims = "kind: PersistentVolumeClaim"
    having = {
        name
        for role, name in sets.items()
        if any(claims in path.read_text() for path in (ROOT / "roles" / role / "templates").rglob("*.j2"))
    }
    assert having
    assert set(task["loop"]) == having
