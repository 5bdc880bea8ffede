# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a RayService says about its applications."""

from __future__ import annotations

from ansible_collections.mlops.platform.plugins.module_utils._ray import state


def test_an_applications_error_is_its_own_and_that_of_its_deployments() -> None:
    deployments = {"A": {"status": "UNHEALTHY", "message": "no memory"}, "B": {"status": "HEALTHY", "message": "fine"}}
    item = {"status": "UNHEALTHY", "message": "", "serveDeploymentStatuses": deployments}
    service = {"status": {"activeServiceStatus": {"applicationStatuses": {"iris": item}}}}
    assert state.states(service) == {"iris": state.State("UNHEALTHY", "A: no memory")}
    assert state.states({}) == {}


def test_of_a_long_error_the_end_is_shown_without_colours() -> None:
    found = state.shortened("\n".join(f"line {number}" for number in range(100)) + "\n\x1b[36mValueError\x1b[39m: no")
    assert found.splitlines()[0] == "..."
    assert found.splitlines()[-1] == "ValueError: no"
    assert len(found.splitlines()) == state.MESSAGE_LINES + 1


def test_an_upgrade_is_under_way_while_two_clusters_are_there() -> None:
    active, pending = {"rayClusterName": "a"}, {"rayClusterName": "b"}
    assert state.is_upgrading({"status": {"activeServiceStatus": active, "pendingServiceStatus": pending}})
    assert not state.is_upgrading({"status": {"activeServiceStatus": active, "pendingServiceStatus": {}}})
    assert not state.is_upgrading({"status": {"pendingServiceStatus": pending}})


def test_workers_of_all_groups_are_counted() -> None:
    groups = [{"replicas": 2}, {"replicas": 1}, {}]
    assert state.workers({"spec": {"rayClusterConfig": {"workerGroupSpecs": groups}}}) == 3
