# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module mlflow_user against the MLflow of the lab's platform."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.modules import mlflow_user

if t.TYPE_CHECKING:
    from e2e.cluster import Cluster

pytestmark = pytest.mark.platform

Result = dict[str, t.Any]
Run = t.Callable[..., Result]


@pytest.fixture
def run(cluster: Cluster) -> Run:
    """The module as Ansible runs it, in a process of its own."""
    connection = {
        "kubeconfig": cluster.facts["kubeconfig"],
        "allow_any_server": True,
        "namespace": "mlops",
        "login_secret": "mlflow",
    }

    def call(check: bool = False, **params: t.Any) -> Result:
        arguments = {**connection, **params, "_ansible_check_mode": check, "_ansible_diff": True}
        done = subprocess.run(
            [sys.executable, mlflow_user.__file__],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        return t.cast("Result", json.loads(done.stdout or done.stderr))

    return call


@pytest.fixture
def name(run: Run) -> t.Iterator[str]:
    """A user that no other test has; it is removed."""
    user = f"user-{secrets.token_hex(4)}"
    yield user
    run(users=[{"username": user, "state": "absent"}])


def test_a_user_in_all_its_states(run: Run, name: str) -> None:
    """Create, change, delete; each in check mode, for real, again in check mode, again for real."""
    states: list[tuple[str, dict[str, t.Any]]] = [
        ("created", {"username": name, "password": "the-first-password"}),
        ("configured", {"username": name, "password": "the-next-password", "admin": True}),
        ("removed", {"username": name, "state": "absent"}),
    ]
    for kind, state in states:
        planned, done = run(check=True, users=[state]), run(users=[state])
        assert planned["changed"], planned
        assert planned[kind] == done[kind] == [name]
        assert planned["diff"] == done["diff"]
        assert not run(check=True, users=[state])["changed"]
        assert not run(users=[state])["changed"]


def test_a_user_may_keep_a_password_of_ones_own(run: Run, name: str) -> None:
    run(users=[{"username": name, "password": "chosen-by-the-user"}])
    kept = {"username": name, "password": "another-password", "update_password": False}
    assert not run(users=[kept])["changed"]
    assert run(users=[{**kept, "update_password": True}])["configured"] == [name]


def test_a_list_with_one_mistake_changes_nothing(run: Run, name: str) -> None:
    good = {"username": name, "password": "long-enough-password"}
    for bad, message in (
        ({"username": f"{name}-2", "password": "short"}, "users[1].password: it has 5 characters"),
        (good, f"users[1].username: '{name}' is given twice"),
        ({"username": "admin", "password": "long-enough-password"}, "users[1].username: 'admin' is the administrator"),
    ):
        for check in (True, False):
            assert message in run(check=check, users=[good, bad])["msg"]
    assert run(check=True, users=[good])["created"] == [name]


def test_an_administrator_nobody_knows_is_refused_and_only_planned_in_check_mode(run: Run, name: str) -> None:
    stranger = {"login_secret": None, "admin_password": "a-password-of-nobody"}
    users = [{"username": name, "password": "long-enough-password"}]
    assert "does not take the password of 'admin'" in run(users=users, **stranger)["msg"]
    planned = run(check=True, users=users, **stranger)
    assert planned["not_verified"] == ["admin", name]


def test_a_server_that_is_not_there_yet_is_planned(run: Run, name: str) -> None:
    users = [{"username": name, "password": "long-enough-password"}]
    assert "not-yet" in run(users=users, service="not-yet")["msg"]
    assert name in run(check=True, users=users, service="not-yet")["created"]
