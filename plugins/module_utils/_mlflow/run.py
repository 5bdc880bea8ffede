# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The way to an MLflow server, and the run of a task there."""

from __future__ import annotations

import contextlib
import typing as t

from .._kube.errors import KubeError
from .._login import secret_values
from .._plan import plan, result
from .._tunnel import NoPodError, client_for, tunnel
from . import MlflowError, NotThereError, users
from .client import Address, Client, Login, address, tls

Params = t.Mapping[str, t.Any]
Connect = t.Callable[[Params], "contextlib.AbstractContextManager[Client]"]


def check(params: Params) -> None:
    """Refuse options that do not say where the server is, or who signs in."""
    if not params["namespace"] and (params["login_secret"] or not params["endpoint"]):
        raise MlflowError("namespace: it is missing; name the namespace of the Service and of login_secret")
    if bool(params["admin_password"]) == bool(params["login_secret"]):
        raise MlflowError("login_secret: give either admin_password or login_secret")


@contextlib.contextmanager
def connect(params: Params) -> t.Iterator[Client]:
    """A client for the administrator, for the time of one task."""
    with contextlib.ExitStack() as opened:
        try:
            login = Login(params["admin_username"], params["admin_password"] or "")
            if params["login_secret"] or not params["endpoint"]:
                cluster = opened.enter_context(client_for(params))
            if params["login_secret"]:
                login = Login(
                    *secret_values(cluster, params["namespace"], params["login_secret"], ("username", "password"))
                )
            if params["endpoint"]:
                where = address(params["endpoint"], params["ca_file"])
            else:
                local = opened.enter_context(tunnel(cluster, params["namespace"], params["service"], params["port"]))
                # The API server vouches for the pod, and no certificate names the tunnel's end.
                where = Address(local.host, local.port, tls(check=False) if params["tls"] else None)
        except NoPodError as error:
            raise NotThereError(str(error)) from error
        except KubeError as error:
            raise MlflowError(str(error)) from error
        yield Client(where, login)


def manage(params: Params, check_mode: bool, way: Connect = connect) -> dict[str, t.Any]:
    """Make the users equal to what is wanted, or say what that would change."""
    check(params)
    guess = {**params, "login": Login(params["admin_username"], params["admin_password"] or "x" * users.SHORTEST)}
    wanted = users.wanted(guess)
    try:
        with way(params) as client:
            given = {**params, "login": client.login}
            wanted = users.wanted(given)
            own = users.accounts(client, given)
            administrator = users.sign_in(client, own, params["previous_passwords"])
            changes = plan(users.read(administrator, given, own), wanted)
            for change in () if check_mode else changes:
                users.apply(administrator, given, change)
            return result(changes)
    except NotThereError as error:
        if not check_mode:
            raise
        return result(plan({}, wanted), str(error))
