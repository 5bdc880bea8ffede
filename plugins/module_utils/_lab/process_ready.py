# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Questions to a process whether it serves yet."""

from __future__ import annotations

import ctypes
import http.client
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_definition import Definition

CLONE_NEWNET = 0x40000000
PROBE_TIMEOUT = 3.0
OCCUPIED_TIMEOUT = 1.0


def _setns(handle: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise LabError(f"cannot enter the network namespace: {os.strerror(number)}; are you root?")


@contextmanager
def inside(netns_path: str | None) -> Iterator[None]:
    """Do something in a network namespace, and in no other new namespace: /sys and the cgroups stay as they are."""
    if netns_path is None:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        away = os.open(netns_path, os.O_RDONLY)
        try:
            _setns(away)
        finally:
            os.close(away)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def probe(definition: Definition, timeout: float = PROBE_TIMEOUT) -> str | None:
    """Ask once, in the process' network namespace; return None when it is ready, else what is missing."""
    ready = definition.ready or {}
    with inside(definition.netns_path):
        if ready.get("tcp"):
            return _tcp(ready["tcp"], timeout)
        if ready.get("unix"):
            return _unix(ready["unix"], timeout)
        if ready.get("url"):
            return _url(ready, timeout)
        if ready.get("command"):
            return _command(ready["command"], definition.environment, timeout)
    return None


def occupied(definition: Definition) -> str | None:
    """Tell where somebody else serves what this process, which does not run, is to serve; whatever he answers."""
    ready = definition.ready or {}
    where = ready.get("tcp") or ready.get("unix") or ready.get("url")
    if not where:
        return None
    with inside(definition.netns_path):
        if ready.get("unix"):
            return where if _unix(where, OCCUPIED_TIMEOUT) is None else None
        address = ready.get("tcp") or _address(where)
        return where if _tcp(address, OCCUPIED_TIMEOUT) is None else None


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or {'http': 80, 'https': 443}[parts.scheme]}"


def _tcp(address: str, timeout: float) -> str | None:
    host, _colon, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout).close()
    except OSError as error:
        return f"no answer on {address}: {error}"
    return None


def _unix(path: str, timeout: float) -> str | None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout)
        try:
            client.connect(path)
        except OSError as error:
            return f"no answer on {path}: {error}"
    return None


def _connection(ready: Mapping[str, Any], timeout: float) -> http.client.HTTPConnection:
    url = urlsplit(ready["url"])
    if url.scheme == "http":
        return http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout)
    context = ssl.create_default_context(cafile=ready.get("ca"))
    if ready.get("cert"):
        context.load_cert_chain(ready["cert"], ready.get("key"))
    return http.client.HTTPSConnection(url.hostname or "", url.port, timeout=timeout, context=context)


def _url(ready: Mapping[str, Any], timeout: float) -> str | None:
    url = urlsplit(ready["url"])
    try:
        connection = _connection(ready, timeout)
        connection.request("GET", (url.path or "/") + (f"?{url.query}" if url.query else ""))
        answer = connection.getresponse()
        body = answer.read(2000).decode(errors="replace").strip()
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer from {ready['url']}: {error}"
    if answer.status in (ready.get("status") or [200]):
        return None
    return f"{ready['url']} answers {answer.status}: {body}"


def _command(argv: list[str], environment: Mapping[str, str], timeout: float) -> str | None:
    try:
        done = subprocess.run(
            argv, env=dict(environment), timeout=timeout, capture_output=True, text=True, errors="replace", check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{argv[0]}: {error}"
    if done.returncode == 0:
        return None
    return f"{' '.join(argv)} ended with status {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}"
