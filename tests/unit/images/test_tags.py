# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags change with everything that makes an image, and with nothing else."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError
from ansible_collections.mlops.platform.plugins.module_utils._images.context import (
    ContextFile,
    context_files,
    folder_files,
    lay_out,
)
from ansible_collections.mlops.platform.plugins.module_utils._images.image import (
    TAG_LENGTH,
    image_from,
    in_order,
    tags_of,
    with_bases,
)

BASED = "ARG BASE\nFROM ${BASE}\nCOPY app /app\nUSER 1000:1000\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "app"
    path.mkdir()
    (path / "Containerfile").write_text(BASED)
    (path / "app").write_text("one")
    return path


def specs(folder: Path, **changes: t.Any) -> list[dict[str, t.Any]]:
    app = {"name": "app", "context": str(folder), "bases": {"BASE": "debian"}, **changes}
    return [app, {"name": "debian", "bootstrap": "trixie"}]


def tags(folder: Path, refresh: str = "", **changes: t.Any) -> dict[str, str]:
    return tags_of(in_order([image_from(spec) for spec in specs(folder, **changes)]), refresh)


def edit(folder: Path) -> None:
    (folder / "app").write_text("two")


def make_executable(folder: Path) -> None:
    os.chmod(folder / "app", 0o755)


def edit_containerfile(folder: Path) -> None:
    (folder / "Containerfile").write_text(BASED + "LABEL a=b\n")


def add_nested(folder: Path) -> None:
    (folder / "lib").mkdir()
    (folder / "lib" / "x.py").write_text("")


def rename(folder: Path) -> None:
    (folder / "app").rename(folder / "app2")


@pytest.mark.parametrize("change", [edit, make_executable, edit_containerfile, add_nested, rename])
def test_a_change_of_the_files_changes_only_that_tag(folder: Path, change: t.Callable[[Path], None]) -> None:
    before = tags(folder)
    change(folder)
    after = tags(folder)
    assert after["app"] != before["app"]
    assert after["debian"] == before["debian"]


@pytest.mark.parametrize(
    "changes",
    [
        {"build_args": {"A": "1"}},
        {"labels": {"a": "1"}},
        {"files": [{"name": "extra", "content": ""}]},
        {"bases": {"BASE": "registry.example.com/debian:13"}},
    ],
)
def test_a_change_of_the_description_changes_the_tag(folder: Path, changes: dict[str, t.Any]) -> None:
    assert tags(folder, **changes)["app"] != tags(folder)["app"]


def test_a_base_changes_what_is_built_on_it(folder: Path) -> None:
    images = [image_from(spec) for spec in specs(folder)]
    moved = [image_from({**spec, "bootstrap": "forky"} if "bootstrap" in spec else spec) for spec in specs(folder)]
    assert tags_of(in_order(images))["app"] != tags_of(in_order(moved))["app"]


def test_refresh_changes_every_tag(folder: Path) -> None:
    before, after = tags(folder), tags(folder, refresh="2025-11")
    assert all(before[name] != after[name] for name in before)


def test_what_does_not_make_the_image_does_not_change_the_tag(folder: Path, tmp_path: Path) -> None:
    before = tags(folder)
    (folder / "README.md").write_text("notes")
    (folder / ".hidden").write_text("x")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_text("x")
    os.chmod(folder / "app", 0o600)
    os.utime(folder / "app", (1, 1))
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    assert tags(elsewhere) == before
    assert len(before["app"]) == TAG_LENGTH


def test_order_and_bases_of_some(folder: Path) -> None:
    more = [{"name": "leaf", "context": str(folder), "bases": {"BASE": "app"}}, *specs(folder)]
    images = in_order([image_from(spec) for spec in [*more, {"name": "other", "bootstrap": "trixie"}]])
    names = [image.name for image in images]
    assert names.index("debian") < names.index("app") < names.index("leaf")
    assert [image.name for image in with_bases(images, ["leaf"])] == ["debian", "app", "leaf"]


def test_a_circle_is_refused(folder: Path) -> None:
    circle = [
        {"name": "a", "context": str(folder), "bases": {"BASE": "b"}},
        {"name": "b", "context": str(folder), "bases": {"BASE": "a"}},
    ]
    with pytest.raises(ImagesError, match="a -> b -> a are built on one another"):
        in_order([image_from(spec) for spec in circle])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "App"}, "'App' is not an image name"),
        ({"context": "/nowhere"}, "context /nowhere is not a folder"),
        ({"bootstrap": "trixie"}, "give either context or bootstrap"),
        ({"user": "0:0"}, "ends with USER 1000:1000, not 0:0"),
        ({"bases": {}}, r"builds on \$\{BASE\}, which the image's bases do not name"),
        ({"files": [{"name": "app", "content": ""}]}, "give it once"),
        ({"files": [{"name": "../app", "content": ""}]}, "not a name inside a build context"),
        ({"files": [{"name": "b", "path": "/nowhere"}]}, r"/nowhere \(for b\) does not exist: build it first"),
    ],
)
def test_a_bad_description_is_refused(folder: Path, changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(ImagesError, match=message):
        tags(folder, **changes)


def test_a_folder_without_containerfile_is_refused(folder: Path) -> None:
    (folder / "Containerfile").unlink()
    with pytest.raises(ImagesError, match="has no Containerfile"):
        tags(folder)


def test_links_are_refused(folder: Path) -> None:
    (folder / "link").symlink_to("app")
    with pytest.raises(ImagesError, match="link is a symbolic link"):
        folder_files(str(folder))


def test_files_are_laid_out_with_fixed_modes(folder: Path, tmp_path: Path) -> None:
    os.chmod(folder / "app", 0o700)
    add_nested(folder)
    os.chmod(folder / "lib" / "x.py", 0o600)
    target = tmp_path / "target"
    target.mkdir()
    lay_out(context_files(str(folder), [ContextFile("text", content="hello")]), str(target))
    modes = {str(p.relative_to(target)): p.stat().st_mode & 0o777 for p in target.rglob("*") if p.is_file()}
    assert modes == {"Containerfile": 0o644, "app": 0o755, "lib/x.py": 0o644, "text": 0o644}
    assert (target / "text").read_text() == "hello"
