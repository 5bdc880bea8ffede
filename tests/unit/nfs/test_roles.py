# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the storage roles render, for both families and for both kinds of server."""

from __future__ import annotations

import configparser
import typing as t

import pytest
import rendering
import yaml
from ansible.template import trust_as_template

from ansible_collections.mlops.platform.plugins.module_utils._images import mirror
from ansible_collections.mlops.platform.plugins.module_utils._nfs import ganesha_conf

V3 = {"nfs_server_v3": True}


def server(family: str, kind: str, **variables: t.Any) -> t.Any:
    facts = {"ansible_facts": {"os_family": family}, "ansible_managed": "Ansible managed"}
    return rendering.templar("nfs_server", __nfs_server_kind=kind, **facts, **variables)


FAMILIES = ("Debian", "RedHat")


def rendered(kind: str, template: str = "", **variables: t.Any) -> str:
    """The configuration, which is the same for both families."""
    found = {family: render(family, kind, template, **variables) for family in FAMILIES}
    assert found["Debian"] == found["RedHat"]
    return found["Debian"]


def render(family: str, kind: str, template: str, **variables: t.Any) -> str:
    engine = server(family, kind, **variables)
    name = template or engine.template(trust_as_template("{{ __nfs_server_config[__nfs_server_kind].src }}"))
    text = (rendering.ROLES / "nfs_server/templates" / name).read_text()
    return str(engine.template(trust_as_template(text), overrides={"trim_blocks": True}))


def nfs_conf(kind: str = "kernel", **variables: t.Any) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string(rendered(kind, "nfs.conf.j2", **variables))
    return parser


def ganesha(**variables: t.Any) -> tuple[dict[str, dict[str, list[str]]], str]:
    text = rendered("ganesha", **variables)
    return {block.name: block.values for block in ganesha_conf.parse(text, "ganesha.conf")}, text


@pytest.mark.parametrize(
    ("family", "kind", "packages"),
    [
        ("Debian", "kernel", ["nfs-kernel-server"]),
        ("Debian", "ganesha", ["nfs-ganesha", "nfs-ganesha-vfs", "dbus"]),
        ("RedHat", "kernel", ["nfs-utils"]),
        ("RedHat", "ganesha", ["nfs-ganesha", "nfs-ganesha-vfs", "dbus"]),
    ],
)
def test_packages_and_services(family: str, kind: str, packages: list[str]) -> None:
    engine = server(family, kind)
    assert engine.template(trust_as_template("{{ __nfs_server_packages }}")) == packages
    service = engine.template(trust_as_template("{{ __nfs_server_services[__nfs_server_kind] }}"))
    assert service == {"kernel": "nfs-server", "ganesha": "nfs-ganesha"}[kind]


def test_packages_can_be_named() -> None:
    engine = server("RedHat", "ganesha", nfs_server_packages=["vendor-ganesha"])
    assert engine.template(trust_as_template("{{ __nfs_server_packages }}")) == ["vendor-ganesha"]


def test_the_kernel_serves_nfsv4_alone() -> None:
    found = nfs_conf(nfs_server_threads=32, nfs_server_grace_time=10)
    assert found.sections() == ["nfsd"]
    assert dict(found["nfsd"]) == {
        "port": "2049", "threads": "32", "grace-time": "10", "lease-time": "60", "udp": "n", "tcp": "y",
        "vers2": "n", "vers3": "n", "vers4": "y", "vers4.0": "n", "vers4.1": "y", "vers4.2": "y",
    }  # fmt: skip


def test_the_kernel_serves_nfsv3_on_fixed_ports_when_asked() -> None:
    found = nfs_conf(**V3, nfs_server_v3_ports={"mountd": 1, "statd": 2, "lockd": 3})
    assert found["nfsd"]["vers3"] == "y"
    ports = {name: dict(found[name]) for name in ("mountd", "statd", "lockd")}
    assert ports == {"mountd": {"port": "1"}, "statd": {"port": "2"}, "lockd": {"port": "3", "udp-port": "3"}}


def test_ganesha_serves_nfsv4_alone() -> None:
    found, text = ganesha(nfs_server_threads=32)
    core = found["nfs_core_param"]
    assert (core["protocols"], core["enable_nlm"], core["rpc_ioq_thrdmax"]) == (["4"], ["false"], ["32"])
    assert not {"mnt_port", "nlm_port"} & set(core)
    assert found["nfsv4"] == {
        "minor_versions": ["1", "2"],
        "only_numeric_owners": ["true"],
        "grace_period": ["90"],
        "lease_lifetime": ["60"],
    }
    assert found["export_defaults"]["access_type"] == ["None"]
    assert ganesha_conf.includes(text) == [("dir", "/etc/ganesha/exports.d")]


def test_ganesha_serves_nfsv3_on_fixed_ports_when_asked() -> None:
    core = ganesha(**V3)[0]["nfs_core_param"]
    assert (core["protocols"], core["mnt_port"], core["nlm_port"]) == (["3", "4"], ["20048"], ["32803"])
    statd = nfs_conf("ganesha", **V3)
    assert {name: dict(statd[name]) for name in statd.sections()} == {"statd": {"port": "32765"}}


def tasks(role: str, file: str) -> dict[str, dict[str, t.Any]]:
    """The tasks of a file by name."""
    loaded = yaml.safe_load((rendering.ROLES / role / "tasks" / f"{file}.yml").read_text())
    return {task["name"]: task for task in loaded}


def test_rpcbind_is_let_go_as_it_was_masked() -> None:
    found = tasks("nfs_server", "run")
    on, off = found["Run rpcbind"], found["Mask rpcbind"]
    assert sorted(on["loop"]) == sorted(off["loop"]) == ["rpcbind.service", "rpcbind.socket"]
    assert on["ansible.builtin.systemd_service"]["masked"] is False


@pytest.mark.parametrize("kind", ["kernel", "ganesha"])
@pytest.mark.parametrize(
    ("v3", "rpcbind", "accepted"), [(True, False, False), (True, True, True), (False, False, True)]
)
def test_nfsv3_needs_rpcbind_with_both_kinds(kind: str, v3: bool, rpcbind: bool, accepted: bool) -> None:
    refusals = tasks("nfs_server", "choose")["Refuse what cannot work"]["loop"]
    one = next(each for each in refusals if each["message"].startswith("nfs_server_rpcbind: "))
    engine = server("Debian", kind, nfs_server_v3=v3, nfs_server_rpcbind=rpcbind)
    assert engine.template(trust_as_template(one["that"])) is accepted


def driver(**variables: t.Any) -> list[dict[str, t.Any]]:
    engine = rendering.templar("csi_driver_nfs", **variables)
    found: list[dict[str, t.Any]] = []
    for path in sorted((rendering.ROLES / "csi_driver_nfs/templates/kube").glob("*.yml.j2")):
        text = engine.template(
            trust_as_template(path.read_text()), escape_backslashes=False, overrides=rendering.OVERRIDES
        )
        found += [document for document in yaml.safe_load_all(str(text)) if document]
    return found


def containers(found: list[dict[str, t.Any]], kind: str) -> dict[str, dict[str, t.Any]]:
    spec = rendering.one(found, kind)["spec"]["template"]["spec"]
    return {container["name"]: container for container in spec["containers"]}


def test_the_driver_keeps_the_contract() -> None:
    found = driver()
    node, controller = containers(found, "DaemonSet"), containers(found, "Deployment")
    assert list(controller) == ["csi-provisioner", "csi-resizer", "liveness-probe", "nfs"]
    assert list(node) == ["liveness-probe", "node-driver-registrar", "nfs"]
    assert node["nfs"]["image"] == "registry.example.com/mlops/nfsplugin:v4.13.4"
    assert node["nfs"]["args"] == ["-v=5", "--nodeid=$(NODE_ID)", "--endpoint=unix:///csi/csi.sock"]
    assert node["nfs"]["securityContext"]["privileged"] is True
    assert "--extra-create-metadata=true" in controller["csi-provisioner"]["args"]
    assert rendering.one(found, "CSIDriver")["spec"] == {
        "attachRequired": False,
        "volumeLifecycleModes": ["Persistent"],
        "fsGroupPolicy": "File",
    }
    labels = rendering.one(found, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"


@pytest.mark.parametrize("folder", ["/var/lib/kubelet", "/var/vcap/data/kubelet"])
def test_the_kubelets_folder_is_a_variable(folder: str) -> None:
    found = driver(csi_driver_nfs_kubelet_dir=folder)
    spec = rendering.one(found, "DaemonSet")["spec"]["template"]["spec"]
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"]}
    assert paths == {
        "socket-dir": f"{folder}/plugins/csi-nfsplugin",
        "pods-mount-dir": f"{folder}/pods",
        "registration-dir": f"{folder}/plugins_registry",
    }
    mounts = {mount["name"]: mount for mount in containers(found, "DaemonSet")["nfs"]["volumeMounts"]}
    assert mounts["pods-mount-dir"] == {
        "name": "pods-mount-dir",
        "mountPath": f"{folder}/pods",
        "mountPropagation": "Bidirectional",
    }
    registrar = containers(found, "DaemonSet")["node-driver-registrar"]
    assert f"--kubelet-registration-path={folder}/plugins/csi-nfsplugin/csi.sock" in registrar["args"]


def test_without_the_resizer_its_rights_are_gone_too() -> None:
    found = driver(csi_driver_nfs_resizer=False)
    assert "csi-resizer" not in containers(found, "Deployment")
    resources = [rule["resources"] for rule in rendering.one(found, "ClusterRole")["rules"]]
    assert ["persistentvolumeclaims/status"] not in resources


@pytest.mark.parametrize("role", ["nfs_server", "nfs_exports", "csi_driver_nfs", "nfs_check", "defaults"])
def test_every_variable_is_in_the_argument_specs(role: str) -> None:
    specs = yaml.safe_load((rendering.ROLES / role / "meta/argument_specs.yml").read_text())
    assert set(specs["argument_specs"]["main"]["options"]) == set(rendering.role_file(role, "defaults"))


INSTALLED = ["cluster-base", "storage", "postgresql"]


@pytest.mark.parametrize(
    ("run", "sets", "tags", "runs"),
    [
        ("auto", [], ["all"], True),
        ("auto", INSTALLED[:2], ["all"], True),
        ("auto", INSTALLED, ["all"], False),
        ("auto", INSTALLED, ["preflight"], True),
        ("always", INSTALLED, ["all"], True),
        ("never", [], ["all"], False),
        ("never", [], ["preflight"], False),
    ],
)
def test_when_the_check_of_the_volumes_runs(run: str, sets: list[str], tags: list[str], runs: bool) -> None:
    condition = tasks("nfs_check", "main")["Check the volumes of all components"]["when"][0]
    found = {"sets": [{"name": name} for name in sets]}
    engine = rendering.templar("nfs_check", nfs_check_run=run, ansible_run_tags=tags, __nfs_check_sets=found)
    assert engine.template(trust_as_template("{{ " + condition + " }}")) is runs


def test_every_image_of_the_driver_is_mirrored() -> None:
    role = rendering.role_file("csi_driver_nfs", "defaults")
    names = [name for name in role if name.endswith("_image")]
    assert "csi_driver_nfs_image" in names
    engine = rendering.templar("csi_driver_nfs", csi_driver_nfs_registry="mirror.example.com")
    wanted = {name: str(engine.template(role[name])) for name in names}
    rows = rendering.role_file("images", "defaults")["images_mirrored"]
    mirrored = [mirror.mirrored_from(row) for row in rows]
    there = {f"mirror.example.com/{image.name}:{image.tag}" for image in mirrored}
    assert {name: image for name, image in wanted.items() if image not in there} == {}
