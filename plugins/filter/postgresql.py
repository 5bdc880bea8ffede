# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL's configuration, and the URL by which an application reaches its database."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.filter.secrets import derived_secret

DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")
# What the role sets itself, and what would make a confirmed row a lost one.
OWN = ("config_file", "data_directory", "hba_file", "ident_file", "listen_addresses", "port", "unix_socket_directories")
SAFE = ("fsync", "full_page_writes")
# Secrets of owners are derived with their names, and the superuser's with this one.
SUPERUSER = "superuser"
# The exporter signs in as this one (roles/postgresql/vars).
METRICS = "mlops_metrics"
Value = t.Union[str, int, float, bool, None]
Row = t.Mapping[str, t.Any]


def postgresql_conf(
    settings: t.Mapping[str, Value],
    defaults: t.Mapping[str, Value] | None = None,
    own: t.Mapping[str, Value] | None = None,
) -> str:
    """The text of postgresql.conf: the user's settings over the defaults, then the role's own; null is left out."""
    for name, value in settings.items():
        _check(name, value)
    merged = {**(defaults or {}), **settings, **(own or {})}
    return "".join(f"{name} = {_literal(value)}\n" for name, value in sorted(merged.items()) if value is not None)


def _check(name: str, value: Value) -> None:
    if not NAME.fullmatch(name):
        raise AnsibleFilterError(f"postgresql_config: '{name}' is not the name of a setting")
    if name in OWN or name.startswith("ssl"):
        raise AnsibleFilterError(f"postgresql_config.{name}: the role sets it; remove it (TLS: postgresql_tls)")
    if name in SAFE and _literal(value) != "on":
        raise AnsibleFilterError(f"postgresql_config.{name}: without it a crash loses or damages data; remove it")
    if isinstance(value, (list, dict)) or "\n" in str(value):
        raise AnsibleFilterError(f"postgresql_config.{name}: it must be one line of text, a number or a boolean")


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (int, float)) or value in ("on", "off"):
        return str(value)
    escaped = str(value).replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def postgresql_url(
    username: str, password: str, host: str, port: int, database: str, driver: str = "psycopg2", options: str = ""
) -> str:
    """The SQLAlchemy URL of a database. The driver is named: the default differs between versions of SQLAlchemy."""
    scheme = f"postgresql+{driver}" if driver else "postgresql"
    login = f"{quote(username, safe='')}:{quote(password, safe='')}"
    return f"{scheme}://{login}@{host}:{port}/{quote(database, safe='')}{'?' + options if options else ''}"


def postgresql_applications(
    databases: t.Sequence[Row], master_key: str, cluster: str, host: str, port: int, variable: str = ""
) -> list[dict[str, t.Any]]:
    """The role's list of databases made complete: owner, password, and the Secret for the application."""
    server = {"host": host, "port": port}
    return [_application(row, master_key, cluster, server, variable or "postgresql_databases") for row in databases]


def _application(row: Row, master_key: str, cluster: str, server: dict[str, t.Any], variable: str) -> dict[str, t.Any]:
    name, owner = row["name"], row.get("owner") or row["name"]
    secret = row.get("secret") or f"postgresql-{owner.replace('_', '-')}"
    field = f"{variable}, {name}"
    present = row.get("state", "present") == "present"
    if owner == SUPERUSER and present:
        raise AnsibleFilterError(
            f"{field}: the owner '{owner}' would get the superuser's password; choose another name"
        )
    if owner == METRICS and present:
        raise AnsibleFilterError(f"{field}: the owner '{owner}' is the role of the exporter; choose another name")
    if not DNS_NAME.fullmatch(secret):
        raise AnsibleFilterError(f"{field}: no Secret can be named '{secret}'; give one with secret")
    password = derived_secret(
        master_key, cluster, "postgresql", owner, row.get("generation") or 1, row.get("password"), variable=field
    )
    url = postgresql_url(owner, password, database=name, **server)
    plain = {key: value for key, value in row.items() if key not in ("secret", "generation") and value is not None}
    return {
        "database": {**plain, "owner": owner, "password": password},
        "secret_name": secret,
        "secret": {"username": owner, "password": password, "database": name, "url": url} if present else {},
    }


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {
            "postgresql_conf": postgresql_conf,
            "postgresql_url": postgresql_url,
            "postgresql_applications": postgresql_applications,
        }
