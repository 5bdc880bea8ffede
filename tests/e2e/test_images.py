"""Images are built, archived, pushed and mirrored for real: buildah, skopeo and two registries with TLS and login."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from e2e.cluster import ROOT

from ansible_collections.mlops.platform.plugins.module_utils._images.engine import run_root
from ansible_collections.mlops.platform.plugins.module_utils._lab.htpasswd import htpasswd

PASSWORD = "a-word-that-nobody-may-see"
MODULES = "ansible_collections.mlops.platform.plugins.modules"
Result = dict[str, t.Any]


def command(module: str) -> list[str]:
    return [sys.executable, "-m", f"{MODULES}.{module}"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "collections")}


def call(module: str, arguments: Result, check: bool = False) -> Result:
    """Run a module as Ansible does, and give its result."""
    given = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check}})
    done = subprocess.run(command(module), input=given, env=environment(), capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def until(condition: t.Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@dataclass
class Registry:
    """A registry of this test, on the loopback."""

    folder: Path
    address: str

    @property
    def login(self) -> Result:
        return {
            "registry": f"{self.address}/mlops",
            "registry_username": "ana",
            "registry_password": PASSWORD,
            "registry_ca_file": str(self.folder / "ca.crt"),
        }


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_certificates(folder: Path) -> None:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca", "-days", "2")
    openssl(folder, "req", *key, "-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=registry")
    signing = ("-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tls.crt")
    openssl(folder, "x509", "-req", *signing, "-days", "2", "-extfile", "names")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[list[Registry]]:
    folder = tmp_path_factory.mktemp("registries")
    make_certificates(folder)
    (folder / "htpasswd").write_text(htpasswd("ana", PASSWORD, ""))
    running, found = [], []
    for name in ("one", "two"):
        port = free_port()
        configuration = {
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(folder / name)}},
            "http": {
                "addr": f"127.0.0.1:{port}",
                "tls": {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")},
            },
            "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}},
        }
        (folder / f"{name}.yml").write_text(json.dumps(configuration))
        with open(folder / f"{name}.log", "w") as log:
            running.append(subprocess.Popen(["docker-registry", "serve", str(folder / f"{name}.yml")], stderr=log))
        until(lambda port=port: answers(port), "the registry does not listen")
        found.append(Registry(folder, f"127.0.0.1:{port}"))
    yield found
    for process in running:
        process.terminate()
        process.wait()


@dataclass
class Workshop:
    """Folders of one test, with an image that is built on another."""

    root: Path
    arguments: Result = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, text in {
            "below": "FROM scratch\nCOPY file /below\n",
            "above": "ARG BASE\nFROM ${BASE}\nCOPY file /above\nUSER 1:1\n",
        }.items():
            (self.root / name).mkdir()
            (self.root / name / "Containerfile").write_text(text)
            (self.root / name / "file").write_text(name)
        self.arguments = {
            "images": [
                {"name": "above", "context": str(self.root / "above"), "bases": {"BASE": "below"}, "user": "1:1"},
                {"name": "below", "context": str(self.root / "below"), "labels": {"colour": "blue"}},
            ],
            "log_dir": str(self.root / "log"),
            "storage": str(self.root / "storage"),
        }

    @property
    def archives(self) -> Path:
        return self.root / "archives"

    def call(self, check: bool = False, **more: t.Any) -> Result:
        result = call("container_images", {**self.arguments, **more}, check)
        assert not result.get("failed"), result["msg"]
        return result


@pytest.fixture
def workshop(tmp_path: Path) -> t.Iterator[Workshop]:
    yield Workshop(tmp_path)
    if os.path.ismount(tmp_path / "storage" / "overlay"):
        subprocess.run(["umount", str(tmp_path / "storage" / "overlay")], check=True)
    for name in (".", "second", "third"):
        shutil.rmtree(run_root(str(tmp_path / "storage" / name)), ignore_errors=True)
    shutil.rmtree(tmp_path / "storage", ignore_errors=True)


def steps(result: Result) -> dict[str, list[str]]:
    return {image["name"]: image["steps"] for image in result["images"]}


def test_the_cycle_of_an_image(workshop: Workshop, registries: list[Registry]) -> None:
    more = {**registries[0].login, "archive_dir": str(workshop.archives)}
    planned = workshop.call(check=True, **more)
    assert planned["changed"]
    assert not workshop.archives.exists()
    made = workshop.call(**more)
    assert made["changed"]
    assert steps(made) == {"below": ["built", "archived", "pushed"], "above": ["built", "archived", "pushed"]}
    assert [image["reference"] for image in made["images"]] == [image["reference"] for image in planned["images"]]
    assert made["diff"] == planned["diff"]
    assert not workshop.call(check=True, **more)["changed"]
    assert not workshop.call(**more)["changed"]

    (workshop.root / "above" / "file").write_text("changed")
    assert workshop.call(check=True, **more)["changed"]
    changed = workshop.call(**more)
    assert steps(changed) == {"below": [], "above": ["built", "archived", "pushed"]}
    assert changed["images"][1]["tag"] != made["images"][1]["tag"]
    assert not workshop.call(**more)["changed"]

    (workshop.root / "above" / "file").write_text("above")
    assert not workshop.call(**more)["changed"], "the image of the older content is still there under its tag"


def inspect(archive: str) -> Result:
    done = subprocess.run(["skopeo", "inspect", "--config", f"oci-archive:{archive}"], capture_output=True, check=True)
    return json.loads(done.stdout)


def test_an_archive_is_the_image(workshop: Workshop) -> None:
    made = workshop.call(archive_dir=str(workshop.archives))
    below, above = (inspect(image["archive"]) for image in made["images"])
    assert below["config"]["Labels"]["colour"] == "blue"
    assert above["config"]["Labels"]["colour"] == "blue", "labels of the base are inherited"
    assert above["config"]["User"] == "1:1"
    assert len(above["rootfs"]["diff_ids"]) == 2
    assert above["rootfs"]["diff_ids"][:1] == below["rootfs"]["diff_ids"]


def test_a_machine_without_the_base_takes_it_from_where_it_is(workshop: Workshop, registries: list[Registry]) -> None:
    workshop.call(archive_dir=str(workshop.archives))
    (workshop.root / "above" / "file").write_text("with an archive")
    workshop.arguments["storage"] = str(workshop.root / "storage" / "second")
    loaded = workshop.call(archive_dir=str(workshop.archives))
    assert steps(loaded)["above"] == ["built", "archived"]
    assert " build " not in (workshop.root / "log" / "below.log").read_text()

    more = registries[0].login
    workshop.call(**more)
    (workshop.root / "above" / "file").write_text("with a registry")
    workshop.arguments["storage"] = str(workshop.root / "storage" / "third")
    pulled = workshop.call(**more)
    assert steps(pulled)["above"] == ["built", "pushed"]
    log = (workshop.root / "log" / "below.log").read_text()
    assert " pull " in log
    assert " build " not in log


def test_the_password_is_nowhere(workshop: Workshop, registries: list[Registry]) -> None:
    login = {**registries[0].login, "registry": f"{registries[0].address}/secret"}
    done = call("container_images", {**workshop.arguments, **login})
    assert done["changed"]
    wrong = call("container_images", {**workshop.arguments, **login, "registry_password": PASSWORD + "-wrong"})
    assert "refuses secret/below to user ana" in wrong["msg"]
    seen = json.dumps([done, wrong]) + "".join(p.read_text() for p in (workshop.root / "log").iterdir())
    assert PASSWORD not in seen


def test_a_certificate_of_another_ca_is_refused(workshop: Workshop, registries: list[Registry]) -> None:
    more = {**registries[0].login, "registry_ca_file": None}
    result = call("container_images", {**workshop.arguments, **more})
    assert "check the address and registry_ca_file" in result["msg"]


def test_a_killed_run_leaves_nothing_that_counts(workshop: Workshop) -> None:
    with open(workshop.root / "below" / "file", "wb") as stream:
        for _ in range(300):
            stream.write(os.urandom(1 << 20))
    arguments = {**workshop.arguments, "archive_dir": str(workshop.archives), "deliver": ["below"]}
    given = json.dumps({"ANSIBLE_MODULE_ARGS": arguments})
    process = subprocess.Popen(
        command("container_images"), env=environment(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(given)
    process.stdin.close()
    until(lambda: any(workshop.archives.glob("*.unfinished")), "nothing is archived")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not list(workshop.archives.glob("*.tar"))

    result = workshop.call(archive_dir=str(workshop.archives), deliver=["below"])
    assert steps(result) == {"below": ["archived"]}
    assert [path.name for path in workshop.archives.iterdir()] == [f"below-{result['images'][0]['tag']}.tar"]


def test_a_failing_build_says_why(workshop: Workshop) -> None:
    (workshop.root / "above" / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY nothing /\nUSER 1:1\n")
    result = call("container_images", {**workshop.arguments, "archive_dir": str(workshop.archives)})
    assert result["failed"]
    assert "image above: buildah failed" in result["msg"]
    assert "nothing" in result["msg"]
    assert [path.name.split("-")[0] for path in workshop.archives.iterdir()] == ["below"]


def test_mirroring_keeps_digests_and_does_not_ask_twice(
    workshop: Workshop, registries: list[Registry], tmp_path: Path
) -> None:
    one, two = registries
    made = {image["name"]: image["reference"] for image in workshop.call(**one.login)["images"]}
    authfile = tmp_path / "auth.json"
    subprocess.run(
        ["skopeo", "login", f"--authfile={authfile}", f"--cert-dir={cert_dir(one)}", "-uana", "--password-stdin",
         one.address], input=PASSWORD, text=True, check=True, capture_output=True,
    )  # fmt: skip
    arguments = {
        **two.login,
        "images": [{"source": made["above"]}, {"source": made["below"], "name": "csi/below"}],
        "source_authfile": str(authfile),
        "source_ca_file": str(one.folder / "ca.crt"),
        "log_dir": str(tmp_path / "log"),
    }
    assert call("container_image_mirror", arguments, check=True)["changed"]
    copied = call("container_image_mirror", arguments)
    assert copied["changed"]
    assert not call("container_image_mirror", arguments)["changed"]

    closed = {**arguments, "source_authfile": None, "source_ca_file": None}
    again = call("container_image_mirror", closed)
    assert not again["changed"], "an image that is there is not asked of its source"
    assert [image["digest"] for image in again["images"]] == [image["digest"] for image in copied["images"]]

    pinned = [{"source": image["source"], "digest": image["digest"]} for image in copied["images"]]
    fresh = call("container_image_mirror", {**arguments, "images": pinned, "registry": f"{two.address}/pinned"})
    assert [image["digest"] for image in fresh["images"]] == [image["digest"] for image in copied["images"]]

    wrong = [{"source": made["above"], "digest": "sha256:" + "0" * 64}]
    refused = call("container_image_mirror", {**arguments, "images": wrong})
    assert refused["failed"]
    assert "image above: skopeo failed" in refused["msg"]


def cert_dir(registry: Registry) -> Path:
    folder = registry.folder / "certs"
    folder.mkdir(exist_ok=True)
    shutil.copy(registry.folder / "ca.crt", folder / "ca.crt")
    return folder
