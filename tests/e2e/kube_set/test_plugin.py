"""kube_set and kube_set_info as tasks of a role, run by ansible-playbook."""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.server
import re
import secrets
import threading
import typing as t
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from e2e.kube_set.kinds import before
from e2e.kube_set.play import Project, Task
from e2e.kube_set.support import Recorder, Space

CONF = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {a: {{ demo_value | default('1') | to_json }}}\n"
SECRET = (
    "apiVersion: v1\nkind: Secret\nmetadata: {name: hidden}\nstringData: {password: {{ demo_password | to_json }}}\n"
)


@pytest.fixture
def project(tmp_path: Path, kubeconfig: str, client: Recorder) -> Project:
    server = client.transport.connection.server
    return Project(tmp_path / "project", {"cluster_kubeconfig": kubeconfig, "cluster_server": server})


def demo(space: Space, **more: t.Any) -> Task:
    space.sets.add("demo")
    return {"name": "demo", "namespace": space.name, **more}


def test_the_templates_of_a_role(space: Space, project: Project) -> None:
    project.template("20-conf.yml.j2", CONF)
    project.template("10-none.yml.j2", "{% if false %}\nnot: rendered\n{% endif %}\n---\n")
    project.template("ignored.txt", "not a template")
    task = demo(space)
    foretold = project.run(task, arguments=["--check", "--diff"], variables={"demo_value": "first"})
    assert foretold["task 0"]["created"] == [f"ConfigMap {space.name}/conf"], foretold.output
    assert space.get("v1", "ConfigMap", "conf") is None
    assert "+  a: first" in foretold.output
    done = project.run(task, task, variables={"demo_value": "first"})
    assert (done["task 0"]["changed"], done["task 1"]["changed"]) == (True, False)
    assert space.get("v1", "ConfigMap", "conf")["data"] == {"a": "first"}
    changed = project.run(task, arguments=["--diff"], variables={"demo_value": "second"})
    assert "-  a: first" in changed.output
    assert "+  a: second" in changed.output
    gone = project.run(demo(space, state="absent"))
    assert gone["task 0"]["pruned"] == [f"ConfigMap {space.name}/conf"]
    assert space.get("v1", "ConfigMap", "conf") is None


def test_named_templates_patterns_and_definitions(space: Space, project: Project) -> None:
    project.template("a.yml.j2", CONF)
    project.template("b.yml.j2", CONF.replace("name: conf", "name: other"))
    given = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "given"}, "data": {"a": "{{ demo_value }}"}}
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\n"
    run = project.run(
        demo(space, templates=["kube/a.yml.j2"], definitions=[given, text]),
        demo(space, templates=["kube/*.j2"]),
        demo(space, templates=[], definitions=[given]),
        variables={"demo_value": "x"},
    )
    names = [[name.rpartition("/")[2] for name in run[f"task {number}"]["created"]] for number in range(3)]
    assert names == [["conf", "given", "text"], ["other"], ["given"]], run.output
    assert space.get("v1", "ConfigMap", "given")["data"] == {"a": "x"}


class Files(http.server.BaseHTTPRequestHandler):
    """Serves one text."""

    text = b""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *_arguments: t.Any) -> None:
        """Nobody reads it."""


def test_manifests_from_files_folders_and_urls(space: Space, project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
    Files.text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: three}\ndata: {raw: '{{ untouched }}'}\n"
    server = http.server.HTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/three.yml"
    good = {"url": url, "sha256": hashlib.sha256(Files.text).hexdigest()}
    sources: list[Task] = [{"path": str(folder)}, good]
    bad = {"path": str(folder / "one.yaml"), "sha256": "0" * 64}
    first = project.run(
        demo(space, manifests=sources),
        demo(space, manifests=[{"url": url}]),
        demo(space, manifests=[{"url": url, "sha256": "0" * 64}]),
        demo(space, manifests=[bad]),
        demo(space, manifests=[{"path": str(tmp_path / "none")}]),
        demo(space, manifests=[{}]),
        demo(space, manifests=[{**bad, "path": str(folder)}]),
    )
    assert [name.rpartition("/")[2] for name in first["task 0"]["created"]] == ["one", "three", "two"], first.output
    assert "needs sha256" in first["task 1"]["msg"]
    assert "has the SHA-256" in first["task 2"]["msg"]
    assert "has the SHA-256" in first["task 3"]["msg"]
    assert first["task 4"]["failed"]
    assert "each entry has either path or url" in first["task 5"]["msg"]
    assert "is a folder, and sha256 is that of one file" in first["task 6"]["msg"]
    assert space.get("v1", "ConfigMap", "three")["data"] == {"raw": "{{ untouched }}"}
    server.shutdown()
    server.server_close()
    second = project.run(demo(space, manifests=sources))
    assert second["task 0"]["changed"] is False, "what was downloaded once comes from the cache"


def test_mistakes_come_in_one_readable_message(
    space: Space, project: Project, client: Recorder, tmp_path: Path
) -> None:
    """Each task of one play is wrong in another way; none of them changes anything."""
    project.template("undefined.yml.j2", CONF.replace("demo_value | default('1')", "demo_missing"))
    project.template("syntax.yml.j2", "{% if %}\n")
    project.template("broken.yml.j2", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [\n")
    project.template("good.yml.j2", CONF)
    expired = tmp_path / "expired.kubeconfig"
    expired.write_text(yaml.safe_dump(expired_kubeconfig(client)))
    untrusted = tmp_path / "untrusted.kubeconfig"
    untrusted.write_text(yaml.safe_dump(untrusting_kubeconfig(client)))
    cases: dict[str, tuple[Task, str]] = {
        "undefined variable": (
            {"templates": ["kube/undefined.yml.j2"]},
            r"templates/kube/undefined\.yml\.j2 .*demo_missing",
        ),
        "template syntax": (
            {"templates": ["kube/syntax.yml.j2"]},
            r"templates/kube/syntax\.yml\.j2 cannot be rendered",
        ),
        "broken YAML": (
            {"templates": ["kube/broken.yml.j2"]},
            r"templates/kube/broken\.yml\.j2, line 4, column 1 is not valid",
        ),
        "both, with a definition": (
            {
                "templates": ["kube/undefined.yml.j2", "kube/broken.yml.j2"],
                "definitions": ["text", {"kind": "ConfigMap"}],
                "manifests": [{}],
            },
            r"(?s)either path or url.*item 1.* not an object.*item 2.* no apiVersion.*demo_missing.*is not valid YAML",
        ),
        "arguments that contradict": ({"host": "https://x", "kubeconfig": "/x"}, r"^kubeconfig and host exclude"),
        "no such template": ({"templates": ["kube/none.yml.j2"]}, r"kube/none\.yml\.j2"),
        "no such pattern": ({"templates": ["none/*.j2"]}, r"the pattern none/\*\.j2 finds no file"),
        "unknown option": ({"templats": []}, r"templats"),
        "wrong type": ({"wait_timeout": "soon"}, r"wait_timeout"),
        "wrong name": ({"name": "Big_Name"}, r"name 'Big_Name' may have only small letters"),
        "long name": ({"name": "x" * 60}, r"name and namespace together may have 62 characters"),
        "wrong field": (
            {"not_owned": [{"kind": "X", "name": "x", "field": "metadata"}]},
            r"not_owned: 'metadata' is not a path",
        ),
        "a field of no object": (
            {"not_owned": [{"kind": "ConfigMap", "name": "cnof", "field": "data.a"}]},
            rf"not_owned: the set has no ConfigMap {space.name}/cnof \(data\.a\)",
        ),
        "wrong state": ({"state": "gone"}, r"state.*present, absent"),
        "no kubeconfig": ({"kubeconfig": "/none"}, r"kubeconfig /none cannot be read"),
        "wrong context": ({"context": "none"}, r"has no context 'none'; it has: "),
        "another server": (
            {"expected_server": "https://other:6443"},
            r"but expected_server .* says https://other:6443",
        ),
        "another server, before a download": (
            {
                "expected_server": "https://other:6443",
                "manifests": [{"url": "http://127.0.0.1:1/x.yml", "sha256": "0" * 64}],
            },
            r"but expected_server .* says https://other:6443",
        ),
        "untrusted server": (
            {"kubeconfig": str(untrusted)},
            r"certificate of https.* is not trusted .*give the right CA",
        ),
        "expired certificate": ({"kubeconfig": str(expired)}, r"\(401\): the client certificate expired on 2020-"),
        "unreachable server": (
            {"host": "https://127.0.0.1:1", "api_key": "t", "expected_server": "https://127.0.0.1:1"},
            r"https://127\.0\.0\.1:1 cannot be reached: .*refused",
        ),
    }
    good = {"templates": ["kube/good.yml.j2"]}
    tasks = [demo(space, **{**good, **options, "_name": name}) for name, (options, _message) in cases.items()]
    run = project.run(*tasks)
    for name, (_options, message) in cases.items():
        result = run[name]
        assert result.get("failed"), f"{name}: {result}"
        assert re.search(message, result["msg"]), f"{name}: {result['msg']}"
        assert "Traceback" not in result["msg"]
        assert not result.get("changed")
    assert space.get("v1", "ConfigMap", "conf") is None


def expired_kubeconfig(client: Recorder) -> Task:
    """A kubeconfig with a client certificate that ended long ago."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ana")])
    begin = datetime.datetime(2019, 1, 1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=365))
    cert = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server = client.transport.connection
    cluster = {"server": server.server, "certificate-authority-data": encoded((server.ca or "").encode())}
    user = {"client-certificate-data": encoded(cert), "client-key-data": encoded(text)}
    return {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }


def untrusting_kubeconfig(client: Recorder) -> Task:
    """A kubeconfig with the authority of somebody else."""
    found = expired_kubeconfig(client)
    found["clusters"][0]["cluster"]["certificate-authority-data"] = found["users"][0]["user"]["client-certificate-data"]
    return found


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_where_the_cluster_comes_from(space: Space, project: Project, kubeconfig: str, client: Recorder) -> None:
    project.template("conf.yml.j2", CONF)
    nothing = {"cluster_kubeconfig": "", "cluster_server": ""}
    server = client.transport.connection.server
    task = demo(space)
    run = project.run(task, {**task, "expected_server": server}, {**task, "allow_any_server": True}, variables=nothing)
    assert all("no cluster is named" in run[f"task {number}"]["msg"] for number in range(3))
    run = project.run(
        task,
        {**task, "allow_any_server": True},
        {**task, "expected_server": server},
        variables=nothing,
        K8S_AUTH_KUBECONFIG=kubeconfig,
    )
    assert "expected_server is not set, so nothing was sent" in run["task 0"]["msg"]
    assert run["task 1"]["changed"], run.output
    assert run["task 2"]["changed"] is False


def test_a_token_with_too_few_rights(space: Space, project: Project, client: Recorder, tmp_path: Path) -> None:
    """The connection is a host with a token; what is missing is named, and what is granted is enough."""
    project.template("conf.yml.j2", CONF)
    account, role, binding = (before(kind, space.name) for kind in ("ServiceAccount", "Role", "RoleBinding"))
    role["rules"] = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    space.present(account, role, binding, name="rights")
    path = space.path("v1", "ServiceAccount", "robot") + "/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    token = client.request("POST", path, None, body).body["status"]["token"]
    authority = tmp_path / "ca.crt"
    authority.write_text(client.transport.connection.ca or "")
    variables = {
        "cluster_kubeconfig": "",
        "cluster_host": client.transport.connection.server,
        "cluster_api_key": token,
        "cluster_ca_cert": str(authority),
    }
    refused = project.run(demo(space), arguments=["-vvv"], variables=variables)
    text = refused["task 0"]["msg"]
    assert f"missing permission: user system:serviceaccount:{space.name}:robot may not list configmaps" in text
    assert token not in refused.output + refused.log
    role["rules"][0]["verbs"] = ["get", "list", "create", "patch", "update", "delete"]
    space.present(account, role, binding, name="rights")
    done = project.run(demo(space), demo(space), demo(space, state="absent"), variables=variables)
    assert [done[f"task {number}"].get("changed") for number in range(3)] == [True, False, True], done.output


def test_secrets_appear_nowhere(space: Space, project: Project) -> None:
    """Neither in a diff nor in a result, a log or the message of a failure, however talkative the run is."""
    first, second = f"first-{secrets.token_hex(8)}", f"second-{secrets.token_hex(8)}"
    project.template("secret.yml.j2", SECRET)
    runs = [
        project.run(demo(space), arguments=["--check", "--diff", "-vvv"], variables={"demo_password": first}),
        project.run(demo(space), arguments=["--diff", "-vvv"], variables={"demo_password": first}),
        project.run(demo(space), arguments=["--diff", "-vvv"], variables={"demo_password": second}),
    ]
    assert "*** (before)" in runs[2].output
    project.template("uses.yml.j2", FAILING)
    runs.append(
        project.run(demo(space, wait_timeout=2), arguments=["--diff", "-vvv"], variables={"demo_password": second})
    )
    assert runs[-1]["task 0"]["failed"]
    project.template("secret.yml.j2", SECRET.replace("stringData: {password", "stringData: {'bad key': x, password"))
    runs.append(project.run(demo(space), arguments=["--diff", "-vvv"], variables={"demo_password": second}))
    assert "nothing was changed" in runs[-1]["task 0"]["msg"]
    runs.append(project.run(demo(space, state="absent"), arguments=["--diff", "-vvv"]))
    for run in runs:
        everything = run.output + run.log + str(run.tasks)
        for value in (first, second):
            assert value not in everything
            assert encoded(value.encode()) not in everything


FAILING = """apiVersion: v1
kind: Pod
metadata: {name: fails}
spec:
  nodeSelector: {none: such}
  containers:
    - name: main
      image: registry.invalid/none:1
      env: [{name: TEXT, value: "{{ demo_password }}"}]
      securityContext:
        allowPrivilegeEscalation: false
        runAsNonRoot: true
        capabilities: {drop: [ALL]}
        seccompProfile: {type: RuntimeDefault}
"""


def test_secrets_given_as_definitions_appear_nowhere(space: Space, project: Project) -> None:
    """Ansible itself knows the values of a task's arguments, and so does its log."""
    value = f"given-{secrets.token_hex(8)}"
    text = "{{ demo_password }}"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hidden"}, "stringData": {"password": text}}
    bad = {**secret, "stringData": {"bad key": text}}
    tasks = [demo(space, definitions=[item], templates=[]) for item in (secret, bad)]
    run = project.run(*tasks, arguments=["--diff", "-vvv"], variables={"demo_password": value})
    assert run["task 0"]["created"] == [f"Secret {space.name}/hidden"], run.output
    assert "nothing was changed" in run["task 1"]["msg"]
    everything = run.output + run.log + str(run.tasks)
    assert value not in everything
    assert encoded(value.encode()) not in everything


def test_progress_is_shown_on_request(space: Space, project: Project) -> None:
    project.template("uses.yml.j2", FAILING)
    variables = {"demo_password": "irrelevant"}
    quiet = project.run(demo(space, wait_timeout=1), variables=variables)
    talkative = project.run(demo(space, wait_timeout=1), arguments=["-v"], variables=variables)
    assert f"<cluster> Pod {space.name}/fails: phase Pending" in talkative.output
    assert f"<cluster> Pod {space.name}/fails" not in quiet.output


def test_health_as_a_task(space: Space, project: Project) -> None:
    project.template("conf.yml.j2", CONF)
    look: Task = {"_module": "kube_set_info", "name": "demo", "namespace": space.name}
    check = {**look, "require_healthy": True}
    run = project.run(check, demo(space), check, look)
    assert run["task 0"]["failed"]
    assert "the set demo does not exist" in run["task 0"]["msg"]
    assert run["task 2"]["healthy"], run.output
    assert run["task 3"]["sets"][0]["objects"][0]["name"] == "conf"
    run = project.run({**look, "objects": False}, {**check, "objects": False})
    assert run["task 0"]["sets"] == [{"name": "demo", "namespace": space.name, "state": "present"}]
    assert "objects: without them nothing can be healthy" in run["task 1"]["msg"]
    space.patch("v1", "ConfigMap", "conf", {"data": {"a": "drifted"}}, "kubectl-edit")
    run = project.run(check, look, arguments=["--check"])
    assert "kubectl-edit changed it at" in run["task 0"]["msg"]
    assert (run["task 1"]["healthy"], run["task 1"].get("failed", False)) == (False, False)


def test_a_run_costs_little_when_nothing_changes(space: Space, project: Project) -> None:
    """The proof that the fast path does not load the packages that it does not need."""
    project.template("conf.yml.j2", CONF)
    project.run(demo(space))
    run = project.run(demo(space), arguments=["-vvv"], PYTHONPROFILEIMPORTTIME="1")
    assert run["task 0"]["changed"] is False
    imported = {line.rpartition("|")[2].strip() for line in run.output.splitlines() if line.startswith("import time:")}
    assert "http.client" in imported
    assert not [name for name in imported if name.split(".")[0] in ("kubernetes", "openshift", "requests", "urllib3")]
