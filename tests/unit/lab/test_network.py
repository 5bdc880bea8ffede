"""Which commands make the network of a lab instance."""

from __future__ import annotations

from ansible_collections.mlops.platform.plugins.module_utils._lab import network
from ansible_collections.mlops.platform.plugins.module_utils._lab.network import Machine, Seen

MACHINE = Machine("mlops-desa01", "lv0-16", "10.77.0.16")
EMPTY = Seen(frozenset(), frozenset(), {}, (), {}, True)
COMPLETE = Seen(
    frozenset({"lb0", "lv0-16"}),
    frozenset({"mlops-desa01"}),
    {"mlops-desa01": ["10.77.0.16/24"]},
    ("10.77.0.1/24",),
    {"lab_mlops": "made_from_x"},
    True,
)


def test_nothing_to_do_on_a_complete_network() -> None:
    assert network.bridge_commands(COMPLETE, "lb0", "10.77.0.1") == []
    assert network.machine_commands(COMPLETE, "lb0", "10.77.0.1", MACHINE) == []


def test_a_missing_machine_is_made() -> None:
    commands = network.machine_commands(EMPTY, "lb0", "10.77.0.1", MACHINE)
    assert commands[0] == ["ip", "netns", "add", "mlops-desa01"]
    assert ["ip", "-n", "mlops-desa01", "route", "replace", "default", "via", "10.77.0.1"] in commands


def test_a_half_made_link_is_made_again() -> None:
    half = COMPLETE._replace(inside={"mlops-desa01": []})
    commands = network.machine_commands(half, "lb0", "10.77.0.1", MACHINE)
    assert commands[0] == ["ip", "link", "delete", "lv0-16"]
    assert commands[1][:3] == ["ip", "link", "add"]


def test_a_namespace_that_lost_its_link_gets_a_new_one() -> None:
    bare = COMPLETE._replace(links=frozenset({"lb0"}), inside={"mlops-desa01": []})
    commands = network.machine_commands(bare, "lb0", "10.77.0.1", MACHINE)
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


def test_the_mark_follows_the_rules() -> None:
    one = network.ruleset_mark(network.ruleset("lab_a", "lb0", "10.77.0.0/16"))
    two = network.ruleset_mark(network.ruleset("lab_a", "lb0", "10.78.0.0/16"))
    assert one != two
