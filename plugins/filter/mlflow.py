# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MLflow's configuration: the names by which it answers, its authentication, its users and its object store."""

from __future__ import annotations

import ipaddress
import itertools
import re
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.filter.exposure import service_names
from ansible_collections.mlops.platform.plugins.filter.minio import external_store, minio_applications
from ansible_collections.mlops.platform.plugins.filter.secrets import derived_secret

DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,55}[a-z0-9])?")
LOCAL = ("localhost", "127.0.0.1")
# A part of an address that may be any number. A plain * would take names as well, such as 10.1.evil.com.
# MLflow reads a pattern only where it sees a *: in a class of characters, one stands for itself.
DIGIT = "[0-9*]"
NUMBERS = (DIGIT, DIGIT * 2, DIGIT * 3)
Row = t.Mapping[str, t.Any]


def mlflow_hosts(
    service: str, namespace: str, exposure: Row, extra: t.Sequence[str] = (), networks: t.Sequence[str] = ()
) -> dict[str, str]:
    """The Host headers that MLflow answers to, and the origins of the browsers that may change something.

    They are the Service's names, the port-forward's, and those of the exposure; all with any port.
    """
    outer = [_checked(host) for host in extra]
    kind = exposure.get("type", "none")
    if exposure.get("host"):
        outer.append(exposure["host"])
    if kind in ("node_port", "load_balancer"):
        outer += [pattern for network in networks for pattern in _patterns(network)]
    inner = [*service_names(service, namespace), *LOCAL]
    hosts = [name for host in [*inner, *outer] for name in _with_port(host)]
    origins = [f"{scheme}://{name}" for host in outer for name in _with_port(host) for scheme in ("http", "https")]
    return {"hosts": ",".join(dict.fromkeys(hosts)), "origins": ",".join(dict.fromkeys(origins))}


def _checked(host: str) -> str:
    if not host or "/" in host or "," in host or any(character.isspace() for character in host):
        raise AnsibleFilterError(f"mlflow_allowed_hosts: '{host}' is not a name or address; leave scheme and path out")
    return host


def _with_port(host: str) -> list[str]:
    return [host] if host.endswith("*") or ":" in host else [host, f"{host}:*"]


def _patterns(network: str) -> list[str]:
    """The addresses of a network, as far as whole parts of the address are fixed."""
    try:
        net = ipaddress.ip_network(network)
    except ValueError as error:
        raise AnsibleFilterError(f"cluster_node_networks: {error}") from error
    if net.version == 6:
        raise AnsibleFilterError(f"mlflow_allowed_hosts: name the addresses of {network}; IPv6 has no pattern")
    parts = str(net.network_address).split(".")
    fixed = parts[: net.prefixlen // 8]
    return [".".join([*fixed, *free]) for free in itertools.product(NUMBERS, repeat=len(parts) - len(fixed))]


def mlflow_auth_config(url: str, administrator: str, permission: str, cache_seconds: int) -> str:
    """The text of basic_auth.ini; a percent sign is doubled, the reader takes a single one for a reference."""
    values = {
        "database_uri": url.replace("%", "%%"),
        "default_permission": permission,
        "admin_username": administrator,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "auth_cache_ttl_seconds": int(cache_seconds),
    }
    return "[mlflow]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def mlflow_users(
    users: t.Sequence[Row], master_key: str, cluster: str, uri: str, others: t.Sequence[str] = ()
) -> list[dict[str, t.Any]]:
    """For each user: the entry of the module mlflow_user, and the Secret that the user's programs get.

    `others` are names of users with nothing set; a row of `users` with the same name goes before.
    """
    named = {row["username"] for row in users}
    rows = [{"username": name} for name in others if name not in named]
    return [_user(row, master_key, cluster, uri) for row in [*rows, *users]]


def _user(row: Row, master_key: str, cluster: str, uri: str) -> dict[str, t.Any]:
    name = row["username"]
    field = f"mlflow_users, {name}"
    secret = row.get("secret") or f"mlflow-{name}"
    if not DNS_NAME.fullmatch(secret):
        raise AnsibleFilterError(f"{field}: no Secret can be named '{secret}'; give one with secret")
    password = derived_secret(
        master_key, cluster, "mlflow", f"user {name}", row.get("generation") or 1, row.get("password"), variable=field
    )
    own = {key: value for key, value in row.items() if key not in ("generation", "secret") and value is not None}
    present = row.get("state", "present") == "present"
    return {
        "user": {**own, "password": password},
        "secret_name": secret,
        "secret": {"username": name, "password": password, "uri": uri} if present else {},
    }


def mlflow_store(store: Row, application: Row, master_key: str, cluster: str) -> dict[str, t.Any]:
    """The object store of the artifacts: its Secret, and the entry of minio_application for the cluster's own MinIO.

    The store has the fields type, endpoint, region, bucket, access_key and secret_key of the variables object_store_*.
    In the cluster's own MinIO the application may reach its folder alone.
    """
    folder = application["folder"].rstrip("/")
    application = {key: value for key, value in application.items() if key != "folder"}
    if store["type"] == "minio":
        rows = minio_applications(
            [{**application, "prefix": f"{folder}/" if folder else ""}],
            master_key,
            cluster,
            store["endpoint"],
            store["region"],
            variable="mlflow_s3_secret",
        )
        return rows[0]
    return {"application": {}, "secret_name": f"minio-{application['name']}", "secret": external_store(store)}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {
            "mlflow_hosts": mlflow_hosts,
            "mlflow_auth_config": mlflow_auth_config,
            "mlflow_users": mlflow_users,
            "mlflow_store": mlflow_store,
        }
