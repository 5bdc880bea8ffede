"""Which API server, and as whom: options, variables, kubeconfigs."""

from __future__ import annotations

import base64
import json
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import check_server, merged, normal_server
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError
from ansible_collections.mlops.platform.plugins.module_utils._kube.kubeconfig import (
    absolute_user,
    connection_from,
    from_kubeconfig,
)

Object = dict[str, t.Any]
SERVER = "https://10.0.0.1:6443"


@pytest.mark.parametrize(
    ("args", "variables", "environ", "expected"),
    [
        ({}, {}, {}, {}),
        ({}, {"cluster_kubeconfig": "/v", "cluster_context": "c"}, {}, {"kubeconfig": "/v", "context": "c"}),
        ({"kubeconfig": "/a"}, {"cluster_kubeconfig": "/v"}, {"K8S_AUTH_KUBECONFIG": "/e"}, {"kubeconfig": "/a"}),
        ({}, {}, {"K8S_AUTH_KUBECONFIG": "/e"}, {"kubeconfig": "/e"}),
        (
            {},
            {"cluster_host": SERVER, "cluster_api_key": "t"},
            {"K8S_AUTH_KUBECONFIG": "/e"},
            {"host": SERVER, "api_key": "t"},
        ),
        ({"host": SERVER, "api_key": "t"}, {"cluster_kubeconfig": "/v"}, {}, {"host": SERVER, "api_key": "t"}),
        (
            {},
            {"cluster_kubeconfig": "", "cluster_host": SERVER, "cluster_api_key": "t"},
            {},
            {"host": SERVER, "api_key": "t"},
        ),
        (
            {"context": "a"},
            {"cluster_kubeconfig": "/v", "cluster_context": "c"},
            {},
            {"kubeconfig": "/v", "context": "a"},
        ),
        ({"kubeconfig": "/a"}, {"cluster_api_key": "t"}, {}, {"kubeconfig": "/a"}),
        ({}, {"cluster_server": SERVER}, {}, {"expected_server": SERVER}),
        ({"expected_server": "https://a"}, {"cluster_server": SERVER}, {}, {"expected_server": "https://a"}),
    ],
)
def test_where_options_come_from(args: Object, variables: Object, environ: dict[str, str], expected: Object) -> None:
    found = {name: value for name, value in merged(args, variables, environ).items() if value}
    assert found == expected


@pytest.mark.parametrize(
    ("args", "names"),
    [
        ({"kubeconfig": "/a", "host": SERVER}, "kubeconfig and host"),
        ({"kubeconfig": "/a", "api_key": "t", "ca_cert": "/c"}, "kubeconfig and api_key, kubeconfig and ca_cert"),
        ({"context": "a", "host": SERVER}, "host and context"),
    ],
)
def test_arguments_of_which_one_would_be_ignored(args: Object, names: str) -> None:
    with pytest.raises(KubeError, match=f"^{names} exclude each other"):
        merged(args, {}, {})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://10.0.0.1:6443", "https://10.0.0.1:6443"),
        ("https://API.example.com/", "https://api.example.com:443"),
        ("api.example.com:6443", "https://api.example.com:6443"),
        ("http://localhost", "http://localhost:80"),
        ("https://rancher.example/k8s/clusters/c-1/", "https://rancher.example:443/k8s/clusters/c-1"),
        ("https://[::1]:6443", "https://[::1]:6443"),
    ],
)
def test_servers_in_one_form(url: str, expected: str) -> None:
    assert normal_server(url) == expected


@pytest.mark.parametrize("url", ["", "ftp://x", "https://", "https://x:port"])
def test_what_is_no_server(url: str) -> None:
    with pytest.raises(KubeError, match="is not the URL of an API server"):
        normal_server(url)


def test_the_expected_server() -> None:
    check_server(SERVER, SERVER + "/", False)
    check_server(SERVER, None, True)
    with pytest.raises(KubeError, match="expected_server is not set, so nothing was sent"):
        check_server(SERVER, None, False)
    for allow_any in (False, True):
        with pytest.raises(
            KubeError, match=r"leads to https://10\.0\.0\.1:6443, but expected_server .* says https://other"
        ):
            check_server(SERVER, "https://other", allow_any)


def config(user: Object | None = None, cluster: Object | None = None) -> Object:
    return {
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "d", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": SERVER, **(cluster or {})}},
            {"name": "d", "cluster": {"server": "https://d"}},
        ],
        "users": [{"name": "u", "user": user or {"token": "secret"}}],
    }


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_kubeconfig_with_inline_certificates() -> None:
    user = {"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")}
    cluster = {
        "certificate-authority-data": encoded("CA"),
        "tls-server-name": "kubernetes",
        "proxy-url": "http://p:3128",
    }
    found = from_kubeconfig(config(user, cluster))
    assert (found.server, found.ca, found.client_cert, found.client_key) == (SERVER, "CA", "CERT", "KEY")
    assert (found.tls_server_name, found.proxy_url, found.insecure, found.token) == (
        "kubernetes",
        "http://p:3128",
        False,
        None,
    )
    assert "KEY" not in repr(found)


def test_a_kubeconfig_with_files_beside_it(tmp_path: Path) -> None:
    for name in ("ca.crt", "me.crt", "me.key", "token"):
        (tmp_path / name).write_text(f"{name}\n")
    user = {"client-certificate": "me.crt", "client-key": str(tmp_path / "me.key"), "tokenFile": "token"}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config(user, {"certificate-authority": "ca.crt"})))
    found = from_kubeconfig(str(path))
    assert (found.ca, found.client_cert, found.client_key, found.token) == ("ca.crt\n", "me.crt\n", "me.key\n", "token")


def test_contexts() -> None:
    assert from_kubeconfig(config(), "two").server == "https://d"


@pytest.mark.parametrize(
    ("change", "context", "message"),
    [
        ({}, "three", "has no context 'three'; it has: one, two"),
        ({"current-context": ""}, None, "has no current-context: set the variable cluster_context"),
        ({"clusters": []}, None, "has no cluster 'c'; it has: none"),
        ({"users": []}, None, "has no user 'u'"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, None, "cluster c has no server"),
        (
            {"clusters": [{"name": "c", "cluster": {"server": SERVER, "certificate-authority": "/none"}}]},
            None,
            "/none cannot be read",
        ),
        (
            {"clusters": [{"name": "c", "cluster": {"server": SERVER, "certificate-authority-data": "x"}}]},
            None,
            "certificate-authority-data is not base64",
        ),
    ],
)
def test_kubeconfigs_that_do_not_fit(change: Object, context: str | None, message: str) -> None:
    with pytest.raises(KubeError, match=message):
        from_kubeconfig({**config(), **change}, context)


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "line 1 is not YAML|line 2 is not YAML"), ("text", "is not a kubeconfig")]
)
def test_files_that_are_no_kubeconfig(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(KubeError, match=message):
        from_kubeconfig(str(path))


def test_nothing_is_named() -> None:
    with pytest.raises(KubeError, match="no cluster is named: set the variable cluster_kubeconfig"):
        connection_from(merged({}, {}, {}))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"host": SERVER}, "host needs credentials"),
        ({"host": SERVER, "api_key": "t", "ca_cert": "/none"}, "ca_cert /none cannot be read"),
        ({"host": SERVER, "client_cert": __file__}, "client_cert and client_key belong together"),
    ],
)
def test_hosts_that_do_not_fit(params: Object, message: str) -> None:
    with pytest.raises(KubeError, match=message):
        connection_from({**params, "allow_any_server": True})


def plugin(tmp_path: Path, marker: Path) -> Object:
    """A user whose credentials come from a program that leaves a trace."""
    program = tmp_path / "plugin"
    version = "client.authentication.k8s.io/v1"
    status = json.dumps({"kind": "ExecCredential", "apiVersion": version, "status": {"token": "from-plugin"}})
    program.write_text(f"#!/bin/sh\necho run >> {marker}\necho '{status}'\n")
    program.chmod(0o755)
    return {
        "exec": {
            "apiVersion": version,
            "command": str(program),
            "interactiveMode": "Never",
        }
    }


def test_an_exec_plugin(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    params = {"kubeconfig": config(plugin(tmp_path, marker)), "expected_server": SERVER}
    found = connection_from(params)
    assert found.token == "from-plugin"
    assert found.refresh is not None
    assert found.refresh().token == "from-plugin"
    assert marker.read_text() == "run\nrun\n"


def test_no_plugin_runs_for_a_server_that_nobody_expects(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    kubeconfig = config(plugin(tmp_path, marker))
    for params in ({"expected_server": "https://other"}, {}):
        with pytest.raises(KubeError, match="nothing was sent"):
            connection_from({"kubeconfig": kubeconfig, **params})
    assert not marker.exists()


def test_an_exec_plugin_that_fails() -> None:
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "/no/such/program",
            "interactiveMode": "Never",
        }
    }
    with pytest.raises(KubeError, match="the credential plugin of context one gave no credentials"):
        connection_from({"kubeconfig": config(user), "allow_any_server": True})


def issued(program: Path, status: Object) -> Object:
    """A user whose plugin lies beside the kubeconfig and answers with these credentials."""
    version = "client.authentication.k8s.io/v1"
    answer = json.dumps({"kind": "ExecCredential", "apiVersion": version, "status": status})
    program.write_text(f"#!/bin/sh\ncat <<END\n{answer}\nEND\n")
    program.chmod(0o755)
    return {"exec": {"apiVersion": version, "command": f"./{program.name}", "interactiveMode": "Never"}}


def test_an_exec_plugin_beside_the_kubeconfig_leaves_no_key_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its certificate and key are read, again after a 401 too, and the paths do not depend on the current folder."""
    for name in ("config", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    folder = tmp_path / "config"
    (folder / "ca.crt").write_text("CA\n")
    user = issued(folder / "plugin", {"clientCertificateData": "CERT", "clientKeyData": "KEY"})
    (folder / "kubeconfig").write_text(yaml.safe_dump(config(user, {"certificate-authority": "ca.crt"})))
    found = from_kubeconfig(str(folder / "kubeconfig"))
    assert found.refresh is not None
    for connection in (found, found.refresh()):
        assert (connection.ca, connection.client_cert, connection.client_key) == ("CA\n", "CERT", "KEY")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_paths_of_an_auth_provider() -> None:
    user = {"auth-provider": {"name": "oidc", "config": {"idp-certificate-authority": "idp.crt", "client-id": "c"}}}
    assert absolute_user(user, "/folder")["auth-provider"]["config"] == {
        "idp-certificate-authority": "/folder/idp.crt",
        "client-id": "c",
    }
    assert absolute_user({"exec": {"command": "aws"}}, "/folder")["exec"]["command"] == "aws"


def test_oidc() -> None:
    """A token that has not expired is taken as it is."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, {"exp": time.time() + 3600, "sub": "ana"}, {})]
    token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    provider = {"client-id": "c", "client-secret": "s", "id-token": token, "idp-issuer-url": "https://idp.invalid"}
    provider["refresh-token"] = "r"
    found = from_kubeconfig(config({"auth-provider": {"name": "oidc", "config": provider}}))
    assert found.token == token
    assert found.refresh is not None


def test_a_host_with_a_client_certificate(tmp_path: Path) -> None:
    params = {"host": SERVER, "expected_server": SERVER}
    for name in ("client_cert", "client_key", "ca_cert"):
        (tmp_path / name).write_text(f"the {name}")
        params[name] = str(tmp_path / name)
    found = connection_from(merged(params, {}, {}))
    assert (found.client_cert, found.client_key, found.ca) == ("the client_cert", "the client_key", "the ca_cert")
    assert found.token is None
