"""The address plan of a lab instance."""

from __future__ import annotations

import ipaddress

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, layout


def plan(slots: dict[str, int], name: str = "mlops") -> dict:
    return layout.layout(name, "10.77.0.0/16", slots, "/checkout", "/cache")


def test_a_cluster_keeps_its_slot_and_a_new_one_gets_the_lowest_free() -> None:
    assert layout.assign_slots({"desa01": 0, "prod01": 2}, ["test01", "prod01"]) == {
        "desa01": 0,
        "prod01": 2,
        "test01": 1,
    }


def test_one_cluster_too_many_is_named() -> None:
    full = {f"desa{number:02}": number for number in range(layout.SLOTS)}
    with pytest.raises(LabError, match="LAB_CLUSTERS: an instance has room for 100 clusters, and test01 is one more"):
        layout.assign_slots(full, ["desa00", "test01"])


def test_networks_of_clusters_do_not_overlap() -> None:
    clusters = plan({"desa01": 0, "test01": 1, "prod01": 99})["clusters"].values()
    networks = [ipaddress.ip_network(c[key]) for c in clusters for key in ("pod_cidr", "service_cidr")]
    networks.append(ipaddress.ip_network("10.77.0.0/24"))
    assert not [(a, b) for a in networks for b in networks if a is not b and a.overlaps(b)]


def test_interface_names_fit_the_kernel() -> None:
    lab = plan({"desa01": 0, "prod99": 99}, name="abcdefghijklmnop")
    assert all(len(machine["veth"]) <= 15 for machine in lab["machines"])
    assert len(lab["bridge"]) <= 15


def test_names_of_two_instances_differ() -> None:
    one, two = plan({"desa01": 0}, "mlops"), plan({"desa01": 0}, "ci")
    for key in ("bridge", "nft_table", "state_dir", "run_dir"):
        assert one[key] != two[key]
    assert one["clusters"]["desa01"]["netns"] != two["clusters"]["desa01"]["netns"]
    assert one["clusters"]["desa01"]["cgroup"] != two["clusters"]["desa01"]["cgroup"]


def test_a_cluster_tells_its_environment_and_its_kubeconfig() -> None:
    cluster = plan({"user07": 3})["clusters"]["user07"]
    assert cluster["environment"] == "user"
    assert cluster["kubeconfig"] == "/checkout/.lab/user07.kubeconfig"
    assert cluster["server"] == "https://10.77.0.19:6443"


def test_the_api_servers_certificate_names_its_addresses() -> None:
    server = plan({"desa01": 0})["clusters"]["desa01"]["certificates"][0]
    assert {"10.77.0.16", "10.77.128.1", "kubernetes.default.svc"} <= set(server["sans"])


@pytest.mark.parametrize("name", ["", "Mlops", "1lab", "a-b", "a" * 17])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(LabError, match="LAB_NAME"):
        layout.check_name(name)


@pytest.mark.parametrize(
    ("clusters", "message"), [(["dev01"], "LAB_CLUSTERS has 'dev01'"), (["desa01", "desa01"], "twice")]
)
def test_bad_clusters_are_refused(clusters: list[str], message: str) -> None:
    with pytest.raises(LabError, match=message):
        layout.check_clusters(clusters)


@pytest.mark.parametrize(
    "subnet", ["10.77.0.0/24", "8.8.0.0/16", "10.77.1.0/16", "127.1.0.0/16", "169.254.0.0/16", "nonsense"]
)
def test_bad_subnets_are_refused(subnet: str) -> None:
    with pytest.raises(LabError, match="LAB_SUBNET"):
        layout.check_subnet(subnet)


@pytest.mark.parametrize("subnet", ["10.77.0.0/16", "172.20.0.0/16", "192.168.0.0/16"])
def test_private_subnets_are_taken(subnet: str) -> None:
    assert str(layout.check_subnet(subnet)) == subnet


def test_the_subnet_of_a_name_makes_way_for_another_instance() -> None:
    by_name = layout.default_subnet("mlops")
    second = layout.default_subnet("mlops", {by_name})
    assert second != by_name
    assert layout.default_subnet("mlops", {by_name, second}) not in {by_name, second}


def test_a_used_subnet_is_found() -> None:
    routes = [("0.0.0.0/0", "eth0"), ("10.77.3.0/24", "eth1"), ("192.0.2.0/24", "eth0")]
    assert layout.overlapping("10.77.0.0/16", routes, own=()) == "10.77.3.0/24 on eth1"
    assert layout.overlapping("10.77.0.0/16", routes, own=("eth1",)) is None
    assert layout.overlapping("10.78.0.0/16", routes, own=()) is None


def test_the_kernels_table_of_routes_is_read() -> None:
    table = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "lb0\t00004D0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    assert layout.routes(table) == [("0.0.0.0/0", "eth0"), ("10.77.0.0/16", "lb0")]
