# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository's own table of images, and its lock files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, containerfile, table, versions
from ansible_collections.mlops.platform.plugins.module_utils._images.environment import packages
from ansible_collections.mlops.platform.plugins.module_utils._images.image import image_from, in_order, tags_of

ROOT = Path(__file__).parents[3]
IMAGES = ROOT / "images"
TABLE = table.load()
BINARIES = {binary: __file__ for row in TABLE.values() for binary in row.get("binaries", ())}
# What the storage layout gives the components' folders to, and who runs in the images.
RUNS = {
    "postgresql": "postgresql", "redis": "redis", "minio": "minio", "mlflow": "mlflow", "ray": "ray",
    "notebook": "jupyterhub",
}  # fmt: skip


def test_every_folder_is_in_the_table_and_every_image_can_be_built() -> None:
    folders = {path.parent.name for path in IMAGES.glob("*/Containerfile")}
    assert folders == {name for name, row in TABLE.items() if "bootstrap" not in row}
    images = in_order([image_from(spec) for spec in table.specs(list(TABLE), binaries=BINARIES)])
    assert set(tags_of(images)) == set(TABLE)


@pytest.mark.parametrize(("image", "component"), RUNS.items())
def test_users_are_the_owners_of_the_folders(image: str, component: str) -> None:
    defaults = yaml.safe_load((ROOT / "roles" / "defaults" / "defaults" / "main.yml").read_text())
    owner = defaults["mlops_components"][component]
    assert TABLE[image]["user"] == f"{owner['uid']}:{owner['gid']}"


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if "user" in row])
def test_users_are_numbers_and_not_root(name: str) -> None:
    user = containerfile.user((IMAGES / name / "Containerfile").read_text())
    assert user is not None
    assert all(part.isdigit() and int(part) > 0 for part in user.split(":"))


def test_a_base_of_ones_own_takes_the_place_of_debian() -> None:
    names = [spec["name"] for spec in table.specs(["redis"], base="h/debian:13")]
    assert names == ["base", "go", "lease", "redis"]
    assert table.specs(["redis"], base="h/debian:13")[0]["bases"] == {"BASE": "h/debian:13"}
    assert [spec["name"] for spec in table.specs(["redis"])] == ["debian", *names]


def test_a_reference_holds_everything_that_makes_the_image() -> None:
    plain = table.reference("redis", "h/mlops")
    assert plain.startswith("h/mlops/redis:")
    others = {table.reference("redis", "h/mlops", base="h/d:13"), table.reference("redis", "h/mlops", refresh="2")}
    assert len({plain, *others}) == 3


def test_bad_questions_are_answered_clearly() -> None:
    with pytest.raises(ImagesError, match="there is no image nothing; known are base, "):
        table.reference("nothing", "h")
    with pytest.raises(ImagesError, match="images_registry is empty"):
        table.reference("redis", "")
    with pytest.raises(ImagesError, match="image pause needs the binaries pause"):
        table.specs(["pause"])
    with pytest.raises(ImagesError, match="the groups are builder, platform, lab"):
        table.names("all")


@pytest.mark.parametrize(("image", "own"), [("notebook", "jupyterhub"), ("mlflow", "prometheus-flask-exporter")])
def test_the_environment_of_a_leaf_is_that_of_serving(image: str, own: str) -> None:
    shared = packages((IMAGES / "python" / "requirements.txt").read_text())
    leaf = packages((IMAGES / image / "requirements.txt").read_text())
    common = shared.keys() & leaf.keys()
    assert common
    assert {name: leaf[name] for name in common} == {name: shared[name] for name in common}
    assert own in leaf


@pytest.mark.parametrize("image", ["python", "notebook"])
def test_locks_pin_hashes_and_name_no_registry(image: str) -> None:
    lock = (IMAGES / image / "requirements.txt").read_text()
    assert lock.count("--hash=sha256:") >= len(packages(lock)) > 50
    assert "://" not in lock


def test_labels_of_the_environment() -> None:
    spec = next(spec for spec in table.specs(["python"]) if spec["name"] == "python")
    assert spec["labels"]["mlops.platform.env_id"].startswith("py3.13-ray2.60.0-mlflow3.17.2-numpy")
    assert [file["name"] for file in spec["files"]] == ["environment.json"]


def test_the_environment_is_that_of_the_base() -> None:
    ray = table.environment_of("ray")
    assert ray == table.environment_of("notebook") == table.environment_of("python")
    assert ray["packages"]["ray"] == "2.60.0"
    with pytest.raises(ImagesError, match="image redis has no locked Python environment"):
        table.environment_of("redis")


def test_versions_are_those_that_the_locks_pin_and_no_part_of_the_hash() -> None:
    found = {name: one["version"] for name, one in versions.versions().items()}
    locked = packages((IMAGES / "python" / "requirements.txt").read_text())
    assert (found["mlflow"], found["ray"]) == (locked["mlflow"], locked["ray"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["minio"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["kuberay-operator"])
    assert f"postgresql-{found['postgresql']} " in (IMAGES / "postgresql" / "Containerfile").read_text()
    assert {name for name, version in found.items() if not version} == {"base", "exporter", "python", "ml"}
    for name, row in TABLE.items():
        plain = {key: value for key, value in row.items() if key != "version"}
        made = [table.spec(name, one, "", BINARIES, table.ROOT) for one in (row, plain)]
        assert made[0] == made[1]


def test_the_tag_beside_a_version_is_that_of_the_reference() -> None:
    found = versions.versions("h/debian:13", "2")
    assert table.reference("redis", "h", "h/debian:13", "2") == f"h/redis:{found['redis']['tag']}"


def test_a_version_that_nothing_pins_is_an_error() -> None:
    for said, words in (({"package": "x"}, "no lock file pins x"), ({"module": "x.y/z"}, "go.mod does not have x.y/z")):
        with pytest.raises(ImagesError, match=words):
            versions.version_of("minio", {**TABLE, "minio": {**TABLE["minio"], "version": said}})


def test_minio_is_of_a_commit_with_the_fix_of_its_last_vulnerability() -> None:
    """CVE-2025-62506 was fixed in RELEASE.2025-10-15T17-29-55Z; a module's version names the time of its commit."""
    lock = (IMAGES / "minio" / "go.mod").read_text()
    (version,) = re.findall(r"^\s*github\.com/minio/minio (\S+)", lock, re.M)
    stamp = re.fullmatch(r"v0\.0\.0-(\d{14})-[0-9a-f]{12}", version)
    assert stamp is not None, version
    assert stamp[1] >= "20251015172955"
    assert not re.search(r"^\s*(replace|exclude)\b", lock, re.M), "another module may stand in its place"
