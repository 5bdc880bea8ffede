# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images are brought by the cheapest way, and only where they are missing."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError
from ansible_collections.mlops.platform.plugins.module_utils._images.apt import Mirror
from ansible_collections.mlops.platform.plugins.module_utils._images.build_settings import BuildSettings
from ansible_collections.mlops.platform.plugins.module_utils._images.image import image_from, in_order, tags_of
from ansible_collections.mlops.platform.plugins.module_utils._images.work import Builder, Places, survey


class FakeEngine:
    """Records what it is asked to do; ``stored`` are the images that it has."""

    def __init__(self, stored: t.Iterable[str] = ()) -> None:
        self.stored = set(stored)
        self.calls: list[str] = []

    def has(self, reference: str) -> bool:
        return reference.rpartition(":")[0].rpartition("/")[2] in self.stored

    def build(self, name: str, reference: str, folder: str, settings: str, options: t.Sequence[str]) -> None:
        self.calls.append(f"build {name} {' '.join(options)}".strip())
        self.stored.add(name)

    def bootstrap(self, name: str, suite: str, sources: str, apt_lines: str, target: str) -> None:
        Path(target).write_text("")
        self.calls.append(f"bootstrap {name} {suite}")

    def load(self, name: str, archive: str, reference: str) -> None:
        self.calls.append(f"load {name}")
        self.stored.add(name)

    def pull(self, name: str, reference: str, as_reference: str | None = None) -> None:
        self.calls.append(f"pull {reference}")
        self.stored.add(name)

    def save(self, name: str, reference: str, archive: str) -> None:
        self.calls.append(f"save {name}")

    def push(self, name: str, reference: str, destination: str, compression: str) -> None:
        self.calls.append(f"push {destination} {compression}")


class FakeRegistry:
    """Has the images of some names."""

    def __init__(self, names: t.Container[str]) -> None:
        self.names = names

    def digest(self, repository_name: str, reference: str) -> str | None:
        return "sha256:0" if repository_name.rpartition("/")[2] in self.names else None


class Lab:
    """debian <- base <- app, with what is where."""

    def __init__(self, tmp_path: Path, stored: t.Iterable[str] = (), pushed: t.Container[str] | None = None) -> None:
        for name in ("base", "app"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\n")
        keyring = tmp_path / "keyring"
        keyring.write_text("")
        self.archives = tmp_path / "archives"
        self.archives.mkdir()
        self.images = in_order([image_from(spec) for spec in self.specs(tmp_path)])
        self.tags = tags_of(self.images)
        self.pushed = pushed
        self.engine = FakeEngine(stored)
        self.settings = BuildSettings(Mirror("http://m/a", "http://m/s", str(keyring)), "trixie", str(keyring))
        self.work_dir = tmp_path

    @staticmethod
    def specs(tmp_path: Path) -> list[dict[str, t.Any]]:
        return [
            {"name": "app", "context": str(tmp_path / "app"), "bases": {"BASE": "base"}, "labels": {"l": "1"}},
            {"name": "base", "context": str(tmp_path / "base"), "bases": {"BASE": "debian"}},
            {"name": "debian", "bootstrap": "trixie"},
        ]

    def deliver(self, *names: str, archive: bool = False) -> list[str]:
        registry = None if self.pushed is None else FakeRegistry(self.pushed)
        address = None if self.pushed is None else "reg/mlops"
        places = Places(str(self.archives) if archive else None, address, t.cast("t.Any", registry))
        known = survey(self.images, self.tags, places)
        by_name = {one.image.name: one for one in known}
        builder = Builder(t.cast("t.Any", self.engine), by_name, self.settings, str(self.work_dir))
        for one in known:
            if one.image.name in names and one.missing:
                builder.deliver(one)
        self.results = {one.image.name: one.result() for one in known}
        return [call.split(" ", 1)[0] + " " + call.split(" ")[1].split(":")[0] for call in self.engine.calls]


def test_an_empty_machine_builds_from_the_bottom(tmp_path: Path) -> None:
    lab = Lab(tmp_path, pushed=())
    steps = ["bootstrap debian", "build debian", "build base", "build app", "push reg/mlops/app"]
    assert lab.deliver("app") == steps
    assert lab.results["app"]["steps"] == ["built", "pushed"]
    base, debian = lab.tags["base"], lab.tags["debian"]
    assert f"build app --build-arg=BASE=localhost/mlops/base:{base} --label=l=1" in lab.engine.calls
    assert f"build base --build-arg=BASE=localhost/mlops/debian:{debian}" in lab.engine.calls


def test_nothing_is_done_for_what_is_there(tmp_path: Path) -> None:
    lab = Lab(tmp_path, pushed=("app",))
    assert lab.deliver("app") == []
    assert lab.results["app"]["changed"] is False


def test_an_image_of_the_storage_is_only_pushed(tmp_path: Path) -> None:
    assert Lab(tmp_path, stored=["app"], pushed=()).deliver("app") == ["push reg/mlops/app"]


def test_a_base_is_pulled_rather_than_built(tmp_path: Path) -> None:
    lab = Lab(tmp_path, pushed=("base",))
    assert lab.deliver("base", "app") == ["pull reg/mlops/base", "build app", "push reg/mlops/app"]


def test_a_base_is_loaded_from_its_archive(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    (lab.archives / f"base-{lab.tags['base']}.tar").write_text("")
    assert lab.deliver("app", archive=True) == ["load base", "build app", "save app"]


def test_an_archive_under_another_tag_is_no_hit(tmp_path: Path) -> None:
    lab = Lab(tmp_path, stored=["app"])
    (lab.archives / "app-0000000000000000.tar").write_text("")
    assert lab.deliver("app", archive=True) == ["save app"]
    assert lab.results["app"]["archive"] == str(lab.archives / f"app-{lab.tags['app']}.tar")


def test_a_base_outside_of_the_list_is_pulled(tmp_path: Path) -> None:
    lab = Lab(tmp_path, pushed=())
    spec = {**lab.specs(tmp_path)[1], "bases": {"BASE": "reg.example/debian@sha256:0"}}
    lab.images = in_order([image_from(spec)])
    lab.tags = tags_of(lab.images)
    assert lab.deliver("base") == ["pull reg.example/debian@sha256", "build base", "push reg/mlops/base"]
    assert "build base --build-arg=BASE=reg.example/debian@sha256:0" in lab.engine.calls


def test_files_that_change_after_the_tag_was_made_do_not_get_under_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path, stored=["base"], pushed=())
    (tmp_path / "app" / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\nUSER 1\n")
    with pytest.raises(ImagesError, match="image app changed while images were built"):
        lab.deliver("app")
    assert lab.engine.calls == []


@pytest.mark.parametrize("places", [{}, {"archive": True}])
def test_the_name_of_an_image_that_is_not_pushed_is_local(tmp_path: Path, places: dict[str, bool]) -> None:
    lab = Lab(tmp_path, stored=["app"])
    lab.deliver("app", **places)
    assert lab.results["app"]["reference"] == f"localhost/mlops/app:{lab.tags['app']}"
