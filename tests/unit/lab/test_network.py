"""Which commands make the network of a lab instance."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import network
from ansible_collections.mlops.platform.plugins.module_utils._lab.network import Inside, Machine, Seen
from ansible_collections.mlops.platform.plugins.modules import lab_network

MACHINE = Machine("mlops-desa01", "lv0-16", "10.77.0.16")
GATEWAY = "10.77.0.1"
EMPTY = Seen(frozenset(), frozenset(), {}, frozenset(), {}, (), {}, True)
LINKS = frozenset({"lo", "eth0"})
WHOLE = Inside(links=LINKS, up=LINKS, addresses=("10.77.0.16/24",), gateways=(GATEWAY,), forwarding=True)
COMPLETE = Seen(
    links=frozenset({"lb0", "lv0-16"}),
    up=frozenset({"lb0", "lv0-16"}),
    masters={"lv0-16": "lb0"},
    namespaces=frozenset({"mlops-desa01"}),
    inside={"mlops-desa01": WHOLE},
    bridge_addresses=("10.77.0.1/24",),
    tables={"lab_mlops": "made_from_x"},
    forwarding=True,
)


def test_nothing_to_do_on_a_complete_network() -> None:
    assert network.bridge_commands(COMPLETE, "lb0", GATEWAY) == []
    assert network.machine_commands(COMPLETE, "lb0", GATEWAY, MACHINE) == []


def test_a_bridge_that_was_left_down_is_set_up() -> None:
    seen = COMPLETE._replace(up=frozenset({"lv0-16"}))
    assert network.bridge_commands(seen, "lb0", GATEWAY) == [["ip", "link", "set", "lb0", "up"]]


def test_a_missing_machine_is_made() -> None:
    commands = network.machine_commands(EMPTY, "lb0", GATEWAY, MACHINE)
    assert commands[0] == ["ip", "netns", "add", "mlops-desa01"]
    assert commands[1][:3] == ["ip", "link", "add"]
    assert ["ip", "-n", "mlops-desa01", "route", "replace", "default", "via", GATEWAY] in commands


@pytest.mark.parametrize(
    "missing",
    [
        {"up": frozenset({"lo"})},
        {"up": frozenset({"eth0"})},
        {"addresses": ()},
        {"gateways": ()},
        {"forwarding": False},
    ],
)
def test_whatever_a_killed_run_left_undone_inside_is_done(missing: dict[str, t.Any]) -> None:
    half = COMPLETE._replace(inside={"mlops-desa01": WHOLE._replace(**missing)})
    commands = network.machine_commands(half, "lb0", GATEWAY, MACHINE)
    assert commands == network.machine_commands(EMPTY, "lb0", GATEWAY, MACHINE)[2:]


@pytest.mark.parametrize("missing", [{"up": frozenset({"lb0"})}, {"masters": {}}])
def test_a_link_that_is_not_on_the_bridge_is_put_there(missing: dict[str, t.Any]) -> None:
    commands = network.machine_commands(COMPLETE._replace(**missing), "lb0", GATEWAY, MACHINE)
    assert commands[0] == ["ip", "link", "set", "lv0-16", "master", "lb0", "up"]


def test_a_link_into_a_namespace_that_is_gone_is_made_again() -> None:
    commands = network.machine_commands(COMPLETE._replace(inside={}), "lb0", GATEWAY, MACHINE)
    assert commands[0] == ["ip", "link", "delete", "lv0-16"]
    assert commands[1][:3] == ["ip", "link", "add"]


def test_a_namespace_that_lost_its_link_gets_a_new_one() -> None:
    bare = COMPLETE._replace(links=frozenset({"lb0"}), up=frozenset({"lb0"}), inside={"mlops-desa01": Inside()})
    commands = network.machine_commands(bare, "lb0", GATEWAY, MACHINE)
    assert ["ip", "netns", "add", "mlops-desa01"] not in commands
    assert commands[0][:3] == ["ip", "link", "add"]


def test_removal_takes_only_what_is_there() -> None:
    assert network.removal_commands(EMPTY, "lb0", "lab_mlops", [MACHINE], whole=True) == []
    assert network.removal_commands(COMPLETE, "lb0", "lab_mlops", [MACHINE], whole=False) == [
        ["ip", "link", "delete", "lv0-16"],
        ["ip", "netns", "delete", "mlops-desa01"],
    ]
    whole = network.removal_commands(COMPLETE, "lb0", "lab_mlops", [MACHINE], whole=True)
    assert whole[2:] == [["ip", "link", "delete", "lb0"], ["nft", "delete", "table", "ip", "lab_mlops"]]


class Bare(t.NamedTuple):
    """AnsibleModule on a machine that has no program for networks."""

    params: dict[str, t.Any]
    check_mode: bool = False

    def run_command(self, command: list[str], **_options: t.Any) -> t.NoReturn:
        raise FileNotFoundError(command[0])


def test_a_machine_that_was_refused_before_anything_was_installed_has_nothing_to_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(lab_network, "LINKS", tmp_path)
    monkeypatch.setattr(lab_network, "NAMESPACES", tmp_path)
    wanted = {"bridge": "lb0", "gateway": GATEWAY, "subnet": "10.77.0.0/16", "table": "lab_mlops", "whole": True}
    bare = t.cast("t.Any", Bare({**wanted, "machines": [MACHINE._asdict()], "state": "absent"}))
    assert lab_network.run(bare)["changed"] is False
    (tmp_path / MACHINE.veth).touch()
    with pytest.raises(FileNotFoundError):
        lab_network.run(bare)


def test_the_mark_follows_the_rules() -> None:
    one = network.ruleset_mark(network.ruleset("lab_a", "lb0", "10.77.0.0/16"))
    two = network.ruleset_mark(network.ruleset("lab_a", "lb0", "10.78.0.0/16"))
    assert one != two
