# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Reading kubeconfig files. Exec plugins and OIDC are left to the kubernetes package."""

from __future__ import annotations

import base64
import binascii
import os
import typing as t

import yaml

from .connection import Connection, Params, check_server, from_host, read_file
from .errors import KubeError

IDP_CA = "idp-certificate-authority"
Loader: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def connection_from(params: Params) -> Connection:
    """The connection that the options describe, checked against the expected server."""

    def check(server: str) -> None:
        check_server(server, params.get("expected_server"), bool(params.get("allow_any_server")))

    if params.get("kubeconfig"):
        # A credential plugin may talk to a server, so the server is checked before one runs.
        return from_kubeconfig(params["kubeconfig"], params.get("context"), check)
    if params.get("host"):
        connection = from_host(params)
        check(connection.server)
        return connection
    raise KubeError(
        "no cluster is named: set the variable cluster_kubeconfig of this host, or cluster_host with "
        "cluster_api_key or cluster_client_cert and cluster_client_key"
    )


def from_kubeconfig(
    source: t.Any, context: str | None = None, check: t.Callable[[str], None] = lambda server: None
) -> Connection:
    """The connection of one context of a kubeconfig, as a path or a dictionary, if its server passes the check."""
    config, folder, name = load(source)
    selected = context or config.get("current-context")
    if not selected:
        raise KubeError(f"{name} has no current-context: set the variable cluster_context")
    ctx = entry(config, "contexts", "context", selected, name)
    cluster = entry(config, "clusters", "cluster", ctx.get("cluster"), name)
    user = entry(config, "users", "user", ctx["user"], name) if ctx.get("user") else {}
    if not cluster.get("server"):
        raise KubeError(f"{name}: cluster {ctx.get('cluster')} has no server")
    check(str(cluster["server"]))
    if "exec" in user or "auth-provider" in user:
        from .package import from_package

        absolute = {"cluster": absolute_cluster(cluster, folder), "user": absolute_user(user, folder)}
        return from_package(narrowed(selected, absolute), selected, describe(cluster, {}, folder))
    return describe(cluster, user, folder)


def load(source: t.Any) -> tuple[dict[str, t.Any], str, str]:
    """The parsed kubeconfig, the folder its relative paths begin at, and a name for messages."""
    if isinstance(source, t.Mapping):
        return dict(source), "", "the kubeconfig"
    path = os.path.expanduser(os.path.expandvars(str(source)))
    try:
        config = yaml.load(read_file(path, "kubeconfig"), Loader=Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise KubeError(f"kubeconfig {path}{line} is not YAML") from error
    if not isinstance(config, dict):
        raise KubeError(f"kubeconfig {path} is not a kubeconfig: it holds no mapping")
    return config, os.path.dirname(os.path.abspath(path)), f"kubeconfig {path}"


def entry(config: Params, section: str, key: str, wanted: t.Any, source: str) -> dict[str, t.Any]:
    """One named entry of a section of the kubeconfig."""
    items = [item for item in config.get(section) or [] if isinstance(item, dict)]
    for item in items:
        if item.get("name") == wanted:
            return item.get(key) or {}
    known = ", ".join(str(item.get("name")) for item in items) or "none"
    raise KubeError(f"{source} has no {key} {wanted!r}; it has: {known}")


def describe(cluster: Params, user: Params, folder: str) -> Connection:
    """The connection that a cluster and a user entry describe."""
    token_file = user.get("tokenFile")
    return Connection(
        server=str(cluster["server"]),
        ca=material(cluster, "certificate-authority", folder),
        client_cert=material(user, "client-certificate", folder),
        client_key=material(user, "client-key", folder),
        token=user.get("token")
        or (read_file(located(token_file, folder), "tokenFile").strip() if token_file else None),
        token_file=located(token_file, folder) if token_file and not user.get("token") else None,
        username=user.get("username"),
        password=user.get("password"),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        tls_server_name=cluster.get("tls-server-name"),
        proxy_url=cluster.get("proxy-url"),
    )


def narrowed(name: str, parts: t.Mapping[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    """A kubeconfig with one context, cluster and user of the same name."""
    entries = {f"{part}s": [{"name": name, part: value}] for part, value in parts.items()}
    context = {"name": name, "context": {"cluster": name, "user": name}}
    return {"apiVersion": "v1", "kind": "Config", "current-context": name, "contexts": [context], **entries}


def absolute_cluster(cluster: Params, folder: str) -> dict[str, t.Any]:
    """A cluster entry whose file does not depend on the folder in which somebody reads it."""
    return absolute(cluster, ("certificate-authority",), folder)


def absolute_user(user: Params, folder: str) -> dict[str, t.Any]:
    """The same for a user entry with a credential plugin or OIDC."""
    found = absolute(user, ("client-certificate", "client-key", "tokenFile"), folder)
    plugin, provider = found.get("exec"), found.get("auth-provider")
    # A command without a slash is looked up in PATH.
    if plugin and "/" in str(plugin.get("command")):
        found["exec"] = absolute(plugin, ("command",), folder)
    if provider and provider.get("config"):
        found["auth-provider"] = {**provider, "config": absolute(provider["config"], (IDP_CA,), folder)}
    return found


def absolute(item: Params, names: t.Sequence[str], folder: str) -> dict[str, t.Any]:
    """A mapping whose paths of these names are absolute."""
    return {name: located(value, folder) if name in names and value else value for name, value in item.items()}


def material(item: Params, key: str, folder: str) -> str | None:
    """A certificate or key: inline data wins over a file, as in kubectl."""
    data = item.get(f"{key}-data")
    if data:
        try:
            return base64.b64decode(data, validate=False).decode()
        except (binascii.Error, ValueError) as error:
            raise KubeError(f"the kubeconfig's {key}-data is not base64 of a PEM text") from error
    return read_file(located(item[key], folder), key) if item.get(key) else None


def located(path: str, folder: str) -> str:
    """A path of the kubeconfig; a relative one begins at the file's folder."""
    return path if os.path.isabs(path) else os.path.join(folder, path)
