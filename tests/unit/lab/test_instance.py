"""The record of an instance: whose it is, which clusters it has, and where it may be."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
import yaml
from rendering import ROOT

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError, layout
from ansible_collections.mlops.platform.plugins.modules import lab_instance


class Module(t.NamedTuple):
    """What the module's code needs of AnsibleModule."""

    params: dict[str, t.Any]
    check_mode: bool = False


@pytest.fixture
def call(tmp_path: Path) -> t.Callable[..., dict[str, t.Any]]:
    """Runs the module on a folder of records of its own."""
    (tmp_path / "one").mkdir()
    (tmp_path / "records").mkdir()

    def run(check_mode: bool = False, **given: t.Any) -> dict[str, t.Any]:
        params = {
            "name": "mlops",
            "clusters": [],
            "checkout": str(tmp_path / "one"),
            "subnet": "10.211.0.0/16",
            "cache_dir": "/cache",
            "record_dir": str(tmp_path / "records"),
            "forget": [],
            "state": "present",
            **given,
        }
        return lab_instance.run(t.cast("t.Any", Module(params, check_mode)))

    return run


def test_clusters_of_a_list_get_slots_and_keep_them(call: t.Callable[..., dict[str, t.Any]]) -> None:
    first = call(clusters=["test01", "prod01"])
    assert first["changed"]
    assert list(first["lab"]["clusters"]) == ["prod01", "test01"]
    again = call()
    assert not again["changed"]
    assert again["lab"] == first["lab"]
    left = call(forget=["test01"])
    assert list(left["lab"]["clusters"]) == ["prod01"]
    assert left["lab"]["clusters"]["prod01"] == first["lab"]["clusters"]["prod01"]


def test_in_check_mode_nothing_is_recorded(call: t.Callable[..., dict[str, t.Any]], tmp_path: Path) -> None:
    assert call(check_mode=True)["changed"]
    assert list((tmp_path / "records").iterdir()) == []


def test_another_checkout_is_refused_as_long_as_the_first_exists(
    call: t.Callable[..., dict[str, t.Any]], tmp_path: Path
) -> None:
    call()
    other = tmp_path / "two"
    other.mkdir()
    with pytest.raises(LabError, match=f"'mlops' was started from another checkout, {tmp_path}/one"):
        call(checkout=str(other))
    (tmp_path / "one").rmdir()
    assert call(checkout=str(other))["lab"]["checkout"] == str(other)


def test_a_second_instance_of_a_checkout_is_refused(call: t.Callable[..., dict[str, t.Any]], tmp_path: Path) -> None:
    (tmp_path / "one/.lab").mkdir()
    (tmp_path / "one/.lab/lab.json").write_text(json.dumps({"name": "ci"}))
    with pytest.raises(LabError, match="this checkout holds the lab instance 'ci'"):
        call()


def test_a_subnet_in_use_is_refused_for_a_new_instance_and_no_hindrance_for_one_that_is_there(
    call: t.Callable[..., dict[str, t.Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = tmp_path / "routes"
    routes.write_text("Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n")
    monkeypatch.setattr(lab_instance, "ROUTES", str(routes))
    with routes.open("a") as table:
        table.write("tun0\t0003D30A\t00000000\t1\t0\t0\t0\t00FFFFFF\n")
    with pytest.raises(LabError, match=r"10\.211\.0\.0/16 is in use on this machine \(10\.211\.3\.0/24 on tun0\)"):
        call()
    call(subnet="10.212.0.0/16")
    with routes.open("a") as table:
        table.write("tun0\t0003D40A\t00000000\t1\t0\t0\t0\t00FFFFFF\n")
    assert call(subnet=None, check_mode=True)["lab"]["subnet"] == "10.212.0.0/16"
    assert call(subnet=None, state="absent")["changed"]


def test_the_subnet_of_another_instance_is_refused_although_it_does_not_run(
    call: t.Callable[..., dict[str, t.Any]], tmp_path: Path
) -> None:
    (tmp_path / "two").mkdir()
    call(name="ci", checkout=str(tmp_path / "two"))
    with pytest.raises(LabError, match=rf"10\.211\.0\.0/16 is that of the lab instance 'ci' of {tmp_path}/two"):
        call()


def test_without_a_choice_the_subnet_of_another_instance_is_passed_over(
    call: t.Callable[..., dict[str, t.Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab_instance, "ROUTES", os.devnull)
    (tmp_path / "two").mkdir()
    call(name="ci", checkout=str(tmp_path / "two"), subnet=layout.default_subnet("mlops"))
    chosen = call(subnet=None)["lab"]["subnet"]
    assert chosen != layout.default_subnet("mlops")
    assert call(subnet=None)["lab"]["subnet"] == chosen


def test_an_instance_that_never_was_is_removed_although_its_subnet_is_in_use(
    call: t.Callable[..., dict[str, t.Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = tmp_path / "routes"
    routes.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
        "tun0\t0003D30A\t00000000\t1\t0\t0\t0\t00FFFFFF\n"
    )
    monkeypatch.setattr(lab_instance, "ROUTES", str(routes))
    read = call(state="absent", check_mode=True)
    assert not read["changed"]
    assert list(read["lab"]["clusters"]) == [layout.DEFAULT_CLUSTER]


def test_make_down_reads_an_instance_that_is_to_go() -> None:
    """Without that a subnet that is in use would keep it from removing what a refused run never made."""
    tasks = yaml.safe_load((ROOT / "playbooks/lab_down.yml").read_text(encoding="utf-8"))[0]["tasks"]
    reads = [task["mlops.platform.lab_instance"] for task in tasks if "mlops.platform.lab_instance" in task]
    assert [read["state"] for read in reads] == ["absent", "absent"]


def test_another_subnet_needs_a_new_instance(call: t.Callable[..., dict[str, t.Any]]) -> None:
    call()
    with pytest.raises(LabError, match=r"differs from the running instance's 10\.211\.0\.0/16: run 'make down' first"):
        call(subnet="10.213.0.0/16")


def test_clusters_that_are_not_there_cannot_be_forgotten(call: t.Callable[..., dict[str, t.Any]]) -> None:
    call(clusters=["test01"])
    with pytest.raises(LabError, match="no cluster typo01 in the lab instance 'mlops'; it has test01"):
        call(forget=["typo01"])


def test_the_record_and_its_empty_folder_go(call: t.Callable[..., dict[str, t.Any]], tmp_path: Path) -> None:
    call()
    assert call(state="absent")["changed"]
    assert not (tmp_path / "records").exists()
    assert not call(state="absent")["changed"]
