# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""A client of the Kubernetes API for a pod, with the pod's ServiceAccount."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import typing as t
from pathlib import Path
from urllib.parse import urlencode

from . import AwayError, ConflictError, RayError
from .patience import watched
from .service import Query
from .state import Object

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT = 30.0
AWAY = (429, 500, 502, 503, 504)


class Kube:
    """Sends requests to the API server of the cluster that the pod runs in."""

    def __init__(self, environment: t.Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> None:
        self.account = account
        try:
            self.server = (environment["KUBERNETES_SERVICE_HOST"], int(environment["KUBERNETES_SERVICE_PORT"]))
            self.tls = ssl.create_default_context(cafile=str(account / "ca.crt"))
            # Many clusters' CAs lack the extensions that Python 3.13 began to demand. The rest is still checked.
            self.tls.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        except (KeyError, OSError) as error:
            raise RayError(f"this pod has no ServiceAccount to talk to Kubernetes with: {error}") from error

    def get(self, path: str, query: Query) -> Object | None:
        """The body of a GET; None where nothing is there or it may not be read."""
        status, body = self._request("GET", path, query)
        if status == 404 or (status == 403 and path.endswith("/events")):
            return None
        return self._checked(status, body)

    def patch(self, path: str, query: Query, body: Object) -> Object:
        """The object after a merge patch; ConflictError when its resourceVersion is another."""
        return self._checked(*self._request("PATCH", path, query, body))

    def watch(self, path: str, query: Query, seconds: float) -> t.Iterator[Object]:
        """The changed objects of a collection, for some seconds at most."""
        full = {**query, "watch": "true", "timeoutSeconds": max(1, round(seconds))}
        connection = self._open(TIMEOUT + seconds)
        try:
            yield from watched(lambda: self._sent(connection, "GET", path, full, None), seconds)
        finally:
            connection.close()

    def _open(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(*self.server, context=self.tls, timeout=timeout)

    def _request(self, method: str, path: str, query: Query, body: Object | None = None) -> tuple[int, Object]:
        connection = self._open(TIMEOUT)
        try:
            answer = self._sent(connection, method, path, query, body)
            return answer.status, parsed(answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise AwayError(f"the API server does not answer: {error}") from error
        finally:
            connection.close()

    def _sent(
        self, connection: http.client.HTTPSConnection, method: str, path: str, query: Query, body: Object | None
    ) -> http.client.HTTPResponse:
        token = (self.account / "token").read_text(encoding="ascii").strip()
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json"
        target = path + ("?" + urlencode({key: value for key, value in query.items() if value is not None}))
        connection.request(method, target, None if body is None else json.dumps(body), headers)
        return connection.getresponse()

    @staticmethod
    def _checked(status: int, body: Object) -> Object:
        if status == 409:
            raise ConflictError(str(body.get("message")))
        if status >= 400:
            kind = AwayError if status in AWAY else RayError
            raise kind(f"the API server refused: {body.get('message') or status}")
        return body


def parsed(content: bytes) -> Object:
    """The object in an answer; what stands between us and the server may answer with other text."""
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"message": content.decode("utf-8", "replace").strip()[:300]}
