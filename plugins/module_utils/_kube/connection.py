# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Which API server a task talks to, and as whom."""

from __future__ import annotations

import base64
import dataclasses
import os
import typing as t
from urllib.parse import urlsplit

from .errors import KubeError

Params = t.Mapping[str, t.Any]

# Option of the task -> variable of the Ansible host.
VARIABLES = {
    "kubeconfig": "cluster_kubeconfig",
    "context": "cluster_context",
    "host": "cluster_host",
    "api_key": "cluster_api_key",
    "client_cert": "cluster_client_cert",
    "client_key": "cluster_client_key",
    "ca_cert": "cluster_ca_cert",
    "expected_server": "cluster_server",
}
HOST_OPTIONS = ("host", "api_key", "client_cert", "client_key", "ca_cert")


@dataclasses.dataclass
class Connection:
    """An API server and the credentials for it. Certificates are PEM text."""

    server: str
    ca: str | None = None
    client_cert: str | None = None
    client_key: str | None = dataclasses.field(default=None, repr=False)
    token: str | None = dataclasses.field(default=None, repr=False)
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    insecure: bool = False
    tls_server_name: str | None = None
    proxy_url: str | None = None
    token_file: str | None = None
    # New credentials after a 401, for exec plugins and OIDC.
    refresh: t.Callable[[], Connection] | None = dataclasses.field(default=None, repr=False)


def argument_spec() -> dict[str, dict[str, t.Any]]:
    """The connection options, for modules that use the client themselves."""
    spec: dict[str, dict[str, t.Any]] = {name: {"type": "str"} for name in VARIABLES}
    spec["kubeconfig"] = {"type": "raw"}
    spec["api_key"]["no_log"] = True
    spec["client_key"] = {"type": "path", "no_log": False}
    spec["client_cert"] = spec["ca_cert"] = {"type": "path"}
    spec["allow_any_server"] = {"type": "bool", "default": False}
    return spec


def merged(args: Params, variables: Params, environ: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The connection options: arguments first, then the host's variables, then the environment."""
    refuse_contradictions(args)
    chosen = {name: args.get(name) or None for name in VARIABLES}
    from_host = {name: variables.get(variable) or None for name, variable in VARIABLES.items()}
    chosen["expected_server"] = chosen["expected_server"] or from_host["expected_server"]
    if not chosen["kubeconfig"] and not chosen["host"]:
        chosen["kubeconfig"] = from_host["kubeconfig"]
        if not chosen["kubeconfig"] and not from_host["host"]:
            chosen["kubeconfig"] = environ.get("K8S_AUTH_KUBECONFIG") or None
    if chosen["kubeconfig"]:
        chosen["context"] = chosen["context"] or from_host["context"]
    else:
        for name in HOST_OPTIONS:
            chosen[name] = chosen[name] or from_host[name]
    chosen["allow_any_server"] = bool(args.get("allow_any_server"))
    return chosen


def refuse_contradictions(args: Params) -> None:
    """Refuse arguments of a task of which one would be ignored."""
    pairs = [("kubeconfig", name) for name in HOST_OPTIONS] + [("host", "context")]
    found = [f"{one} and {other}" for one, other in pairs if args.get(one) and args.get(other)]
    if found:
        raise KubeError(
            f"{', '.join(found)} exclude each other: a kubeconfig (with context) names the server and the credentials, "
            "or host with api_key or client_cert does. Give one of both"
        )


def normal_server(url: str) -> str:
    """The server's URL in one form, so that two ways to write it are equal."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise KubeError(f"{url!r} is not the URL of an API server: write it as https://name:6443")
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except ValueError as error:
        raise KubeError(f"{url!r} is not the URL of an API server: {error}") from error
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"


def check_server(server: str, expected: str | None, allow_any: bool) -> None:
    """Refuse a server that nobody expects. Nothing was sent yet."""
    if not expected:
        if allow_any:
            return
        raise KubeError(
            "expected_server is not set, so nothing was sent: set the variable cluster_server of this host to the URL "
            f"of its API server ({server}, if that is the right one), or allow_any_server to true"
        )
    if normal_server(server) != normal_server(expected):
        raise KubeError(
            f"the connection leads to {server}, but expected_server (variable cluster_server) says {expected}: "
            "nothing was sent. Correct the kubeconfig, the context or cluster_server"
        )


def read_file(path: str, what: str) -> str:
    """The text of a file that an option names."""
    try:
        with open(os.path.expanduser(os.path.expandvars(path)), encoding="utf-8") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError) as error:
        raise KubeError(f"{what} {path} cannot be read: {error}") from error


def basic(user: str, password: str) -> str:
    """The header value of basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def from_host(params: Params) -> Connection:
    """The connection that host, token and certificate files describe."""
    texts = {
        name: read_file(params[name], name) for name in ("ca_cert", "client_cert", "client_key") if params.get(name)
    }
    if bool(texts.get("client_cert")) != bool(texts.get("client_key")):
        raise KubeError("client_cert and client_key belong together: give both or none")
    if not params.get("api_key") and not texts.get("client_cert"):
        raise KubeError("host needs credentials: give api_key, or client_cert and client_key")
    return Connection(
        server=params["host"],
        ca=texts.get("ca_cert"),
        client_cert=texts.get("client_cert"),
        client_key=texts.get("client_key"),
        token=params.get("api_key"),
    )
