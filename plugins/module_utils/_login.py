# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Signing in to a service with the Secret that the service itself starts with."""

from __future__ import annotations

import base64
import typing as t

from ._kube.client import Client
from ._kube.errors import KubeError
from ._kube.resources import KNOWN
from ._tunnel import NoPodError

SECRET = KNOWN["v1", "Secret"]


def secret_values(client: Client, namespace: str, name: str, keys: t.Sequence[str]) -> list[str]:
    """The values of a Secret's keys; NoPodError when there is no such Secret, as the service is not there either."""
    found = client.find(SECRET.path(namespace, name))
    if found is None:
        raise NoPodError(f"login_secret: the Secret {namespace}/{name} does not exist: install its service first")
    data = found.get("data") or {}
    missing = sorted(set(keys) - set(data))
    if missing:
        raise KubeError(f"login_secret: the Secret {namespace}/{name} has no key '{missing[0]}'; name another Secret")
    return [base64.b64decode(data[key]).decode() for key in keys]
