"""The images as the lab's registry has them: no compiler, no cache and no secret in any layer, and nobody is root."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._images import environment, table
from ansible_collections.mlops.platform.plugins.module_utils._images.registry import login_of

ROWS = {name: row for name, row in table.load().items() if row["group"] == "platform"}
RUNS = [name for name, row in ROWS.items() if "user" in row]
# What is built on the image ml, which holds the environment.
LEAVES = ["mlflow", "ray", "notebook"]
# Programs that make programs, by their names in any folder of programs, with a triplet before and a version behind.
COMPILER = re.compile(
    r"(^|/)bin/([a-z0-9_]+-linux-gnu-)?"
    r"(cc|c\+\+|c89|c99|cpp|gcc|g\+\+|gfortran|clang|clang\+\+|tcc|ld|as|go|gofmt|rustc|cargo|javac|nvcc|make|cmake)"
    r"(-?[0-9.]+)?$|(^|/)(cc1|cc1plus|collect2)$"
)
# What a build leaves behind; the folders themselves and files that are locks may stay, empty.
LEFT = re.compile(
    r"^(root/\.cache|root/go|root/\.npm|build|src|run/build|tmp|var/tmp|var/cache/apt|var/lib/apt/lists|var/log)/"
    r"|(^|/)\.cache/pip/|(^|/)\.git/|^run/secrets/"
)
SECRET_FILE = re.compile(
    r"(^|/)(\.netrc|\.pypirc|\.git-credentials|\.dockercfg|\.dockerconfigjson|pip\.conf|id_rsa|id_ed25519|kubeconfig)$"
    r"|(^|/)\.docker/|(^|/)\.kube/|(^|/)\.aws/|^etc/apt/auth\.conf(\.d/.|$)|^etc/ssl/private/."
)
# Where settings lie: these files are read.
SETTINGS = re.compile(r"^(etc|root|home|run|opt/mlops)/")
SECRET_TEXT = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|://[^/\s:@\"']+:[^/\s:@\"']+@")


class Layer(t.NamedTuple):
    """A layer by its digest, and its files on this machine."""

    digest: str
    folder: Path

    def files(self) -> t.Iterator[tuple[str, Path]]:
        """Everything but folders and the marks of what the layer removes."""
        for path in self.folder.rglob("*"):
            if path.is_symlink() or path.is_file():
                yield str(path.relative_to(self.folder)), path


@pytest.fixture(scope="module")
def certs(lab: dict[str, t.Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what the registry's certificate is checked by."""
    folder = tmp_path_factory.mktemp("certs")
    shutil.copy(Path(lab["state_dir"]) / "pki" / "ca.crt", folder / "ca.crt")
    return folder


@pytest.fixture(scope="module")
def configurations(lab: dict[str, t.Any], certs: Path) -> dict[str, t.Any]:
    """The configuration of each image."""
    found = {}
    for name in ROWS:
        ask = ["skopeo", "inspect", "--config", f"--cert-dir={certs}", *source(lab, name)]
        found[name] = json.loads(subprocess.run(ask, check=True, capture_output=True).stdout)
    return found


def source(lab: dict[str, t.Any], name: str) -> list[str]:
    """An image of the registry, and who asks for it, as options of skopeo."""
    return [f"--authfile={lab['state_dir']}/registry/auth.json", f"docker://{table.reference(name, lab['registry'])}"]


@pytest.fixture(scope="module")
def layers(
    lab: dict[str, t.Any], certs: Path, configurations: dict[str, t.Any], tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[tuple[list[Layer], dict[str, t.Any]]]:
    """Each layer of all images once, unpacked, and the configuration of each image."""
    folder = tmp_path_factory.mktemp("contents")
    try:
        for name in ROWS:
            place = f"containers-storage:[overlay@{folder}/storage+{folder}/run]localhost/{name}:latest"
            copy = ["skopeo", "copy", "--quiet", f"--src-cert-dir={certs}", *source(lab, name), place]
            subprocess.run(copy, check=True, capture_output=True)
        rows = json.loads((folder / "storage" / "overlay-layers" / "layers.json").read_text())
        yield (
            [Layer(row["diff-digest"], folder / "storage" / "overlay" / row["id"] / "diff") for row in rows],
            configurations,
        )
    finally:
        subprocess.run(["umount", "--quiet", str(folder / "storage" / "overlay")], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def whose(layer: Layer, configurations: dict[str, t.Any]) -> str:
    """The first image that has a layer."""
    return next(name for name, about in configurations.items() if layer.digest in about["rootfs"]["diff_ids"])


def test_no_layer_holds_a_compiler_or_what_a_build_leaves(layers: tuple[list[Layer], dict[str, t.Any]]) -> None:
    every, configurations = layers
    digests = {digest for about in configurations.values() for digest in about["rootfs"]["diff_ids"]}
    assert {layer.digest for layer in every} == digests
    wrong = [
        f"{whose(layer, configurations)}: {name}"
        for layer in every
        for name, path in layer.files()
        if COMPILER.search(name) or (LEFT.search(name) and path.lstat().st_size > 0)
    ]
    assert wrong == []


def test_no_layer_holds_a_secret(layers: tuple[list[Layer], dict[str, t.Any]], lab: dict[str, t.Any]) -> None:
    every, configurations = layers
    document = (Path(lab["state_dir"]) / "registry" / "auth.json").read_text()
    login = login_of(document, lab["registry"])
    assert login is not None
    wrong = []
    for layer in every:
        for name, path in layer.files():
            read = SETTINGS.search(name) and not path.is_symlink()
            text = path.read_bytes() if read else b""
            if SECRET_FILE.search(name) or SECRET_TEXT.search(text) or login[1].encode() in text:
                wrong.append(f"{whose(layer, configurations)}: {name}")
    assert wrong == []
    for name, about in configurations.items():
        said = json.dumps([about["config"], about.get("history")])
        assert login[1] not in said, name
        assert not re.search(r"(PASSWORD|TOKEN|SECRET)[A-Z_]*=|://[^/\s:@\"']+:[^/\s:@\"']+@", said), name


@pytest.mark.parametrize("name", RUNS)
def test_an_image_runs_as_its_user_and_not_as_root(configurations: dict[str, t.Any], name: str) -> None:
    user = configurations[name]["config"]["User"]
    assert user == ROWS[name]["user"]
    assert all(int(part) > 0 for part in user.split(":"))


@pytest.mark.parametrize("name", ["ml", *LEAVES])
def test_an_image_says_which_lock_it_holds(configurations: dict[str, t.Any], name: str) -> None:
    """The contract of training and serving: what the labels say in the registry is this checkout's lock."""
    said = configurations[name]["config"].get("Labels") or {}
    wanted = environment.labels(table.environment_of(name))
    assert set(wanted) == {"mlops.platform.env_id", "mlops.platform.lock"}
    assert {label: said.get(label) for label in wanted} == wanted


@pytest.mark.parametrize("leaf", LEAVES)
def test_the_environment_lies_on_a_node_once(configurations: dict[str, t.Any], leaf: str) -> None:
    ml, found = (configurations[name]["rootfs"]["diff_ids"] for name in ("ml", leaf))
    assert found[: len(ml)] == ml
    assert 1 <= len(found) - len(ml) <= 2, "a leaf is thin"


@pytest.mark.parametrize(
    "name",
    [
        "usr/bin/gcc",
        "usr/bin/x86_64-linux-gnu-gcc-14",
        "usr/lib/go-1.26/bin/go",
        "usr/bin/c++",
        "usr/libexec/gcc/x86_64-linux-gnu/14/cc1",
    ],
)
def test_a_compiler_would_be_found(name: str) -> None:
    assert COMPILER.search(name)
    assert not COMPILER.search("usr/bin/git")
