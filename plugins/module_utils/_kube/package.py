# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What is left to the official packages: exec plugins, OIDC, and a search through all kinds of a server.

Importing them costs 0.2 s and more, so nothing on the fast path does.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import tempfile
import typing as t

from .connection import Connection, basic
from .errors import KubeError


def configuration(config: dict[str, t.Any], context: str, folder: str) -> t.Any:
    """The configuration object of the kubernetes package for one context; its files are in the folder."""
    try:
        from kubernetes import client
        from kubernetes import config as loader
    except ImportError as error:
        raise KubeError(
            "the kubeconfig uses an exec plugin or OIDC, which needs the Python package kubernetes on the controller: "
            "install it, or use a kubeconfig with a token or a client certificate"
        ) from error
    result = client.Configuration()
    given = {"context": context, "client_configuration": result, "persist_config": False, "temp_file_path": folder}
    try:
        loader.load_kube_config_from_dict(config, **given)
    except (loader.ConfigException, OSError, ValueError) as error:
        raise KubeError(f"the credentials of context {context} cannot be had: {error}") from error
    return result


def from_package(config: dict[str, t.Any], context: str, base: Connection) -> Connection:
    """The connection with the credentials that the kubernetes package found."""
    # The package would leave keys behind: it removes its files when Python ends, and a task's process ends otherwise.
    with tempfile.TemporaryDirectory(prefix="kube-") as folder:
        loaded = configuration(config, context, folder)
        cert, key = text_of(loaded.cert_file), text_of(loaded.key_file)
    # The token has another name in newer versions of the package.
    header = loaded.get_api_key_with_prefix("authorization", "BearerToken") or ""
    token = header.removeprefix("Bearer ").strip() or None
    if not token and not cert:
        raise KubeError(
            f"the credential plugin of context {context} gave no credentials: run it by hand to see why, "
            "or use a kubeconfig with a token or a client certificate"
        )
    refresh = functools.partial(from_package, config, context, base)
    return dataclasses.replace(base, token=token, client_cert=cert, client_key=key, refresh=refresh)


def kinds_of(connection: Connection) -> dict[str, list[str]]:
    """The API versions of each kind of a server, searched by the openshift package; none when that is missing."""
    try:
        from kubernetes import client
        from openshift.dynamic import DynamicClient
        from urllib3.exceptions import HTTPError
    except ImportError:
        return {}
    with tempfile.TemporaryDirectory(prefix="kube-") as folder:
        api = client.ApiClient(package_configuration(client.Configuration(), connection, folder))
        if connection.token:
            api.set_default_header("Authorization", f"Bearer {connection.token}")
        elif connection.username and connection.password is not None:
            api.set_default_header("Authorization", basic(connection.username, connection.password))
        try:
            found = DynamicClient(api, cache_file=os.path.join(folder, "discovery")).resources.search()
        except (client.ApiException, HTTPError) as error:
            said = f"{error.status} {error.reason}" if isinstance(error, client.ApiException) else str(error)
            raise KubeError(f"the kinds of {connection.server} cannot be listed: {said}") from error
    kinds: dict[str, set[str]] = {}
    for item in found:
        kinds.setdefault(str(item.kind), set()).add(str(item.group_version))
    return {kind: sorted(versions) for kind, versions in kinds.items()}


def package_configuration(loaded: t.Any, connection: Connection, folder: str) -> t.Any:
    """A connection as the kubernetes package wants it; its certificates are written into the folder."""
    loaded.host, loaded.proxy = connection.server, connection.proxy_url
    loaded.verify_ssl, loaded.tls_server_name = not connection.insecure, connection.tls_server_name
    loaded.ssl_ca_cert = written(folder, "ca", connection.ca)
    loaded.cert_file = written(folder, "cert", connection.client_cert)
    loaded.key_file = written(folder, "key", connection.client_key)
    return loaded


def written(folder: str, name: str, text: str | None) -> str | None:
    """The path of a file that the packages want instead of a text."""
    if not text:
        return None
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    return path


def text_of(path: str | None) -> str | None:
    """The text of a file that the kubernetes package wrote."""
    if not path:
        return None
    with open(path, encoding="utf-8") as stream:
        return stream.read()
