# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Users of MLflow: what is wanted, what is there, and the way from one to the other."""

from __future__ import annotations

import concurrent.futures
import http.client
import typing as t

from .._plan import Change, State, States
from . import MlflowError, NotThereError
from .client import Client, Login, RefusedError

Params = t.Mapping[str, t.Any]
SHORTEST = 12
SIGN_INS = 4
# What a diff shows in place of a password.
GIVEN = "as given"
OTHER = "another one"


def wanted(params: Params) -> States:
    """The users by name; None is absent. The administrator comes first."""
    login = params["login"]
    found: dict[str, State | None] = {login.username: {"admin": True, "password": GIVEN}}
    _check_password(login.password, "admin_password")
    for number, user in enumerate(params["users"]):
        field = f"users[{number}]"
        name = user["username"]
        if not name or name != name.strip() or ":" in name:
            raise MlflowError(f"{field}.username: '{name}' is empty, or holds ':' or a space at an end; leave it out")
        if name in found:
            who = "is the administrator" if name == login.username else "is given twice"
            raise MlflowError(f"{field}.username: '{name}' {who}; leave it out")
        found[name] = _state(user, field)
    return found


def _state(user: Params, field: str) -> State | None:
    if user["state"] == "absent":
        return None
    _check_password(user["password"] or "", f"{field}.password")
    return {"admin": user["admin"], "password": GIVEN}


def _check_password(password: str, field: str) -> None:
    if len(password) < SHORTEST:
        raise MlflowError(f"{field}: it has {len(password)} characters; MLflow wants at least {SHORTEST}")


def accounts(client: Client, params: Params) -> dict[str, dict[str, t.Any]]:
    """Accounts by name of those whose given password is in force; each asks for its own, which the server allows."""
    others = [user for user in params["users"] if user["state"] == "present" and user["update_password"]]
    logins = [params["login"], *(Login(user["username"], user["password"]) for user in others)]
    # The server takes a good part of a second to check a password: several at a time.
    with concurrent.futures.ThreadPoolExecutor(SIGN_INS) as pool:
        answers = pool.map(lambda login: client.signed_in(login).account(), logins)
        return {login.username: info for login, info in zip(logins, answers, strict=True) if info is not None}


def sign_in(client: Client, own: t.Container[str], previous: t.Sequence[str]) -> Client:
    """The administrator's client: with the given password, or with the one of before that is still in force."""
    if client.login.username in own:
        return client
    for password in previous:
        older = client.signed_in(Login(client.login.username, password))
        if older.account():
            return older
    raise NotThereError(
        f"admin_password: MLflow does not take the password of '{client.login.username}'; "
        "give the one that is in force in previous_passwords"
    )


def read(client: Client, params: Params, own: t.Mapping[str, t.Mapping[str, t.Any]]) -> States:
    """The users as they are; ``own`` are the accounts whose given password is in force."""
    found: dict[str, State | None] = {
        name: {"admin": bool(info["is_admin"]), "password": GIVEN} for name, info in own.items()
    }
    administrator = params["login"].username
    found[administrator] = {"admin": True, "password": GIVEN if administrator in own else OTHER}
    others = [user for user in params["users"] if user["username"] not in own]
    return {**found, **{user["username"]: _read(client, user) for user in others}}


def _read(client: Client, user: Params) -> State | None:
    """A user as the administrator sees it: its password is not the given one, or nobody's business."""
    try:
        info = client.request("GET", "get", username=user["username"])["user"]
    except RefusedError as error:
        if error.status == http.client.NOT_FOUND:
            return None
        raise
    state = {"admin": bool(info["is_admin"])}
    if user["state"] == "absent":
        return state
    return {**state, "password": OTHER if user["update_password"] else GIVEN}


def apply(client: Client, params: Params, change: Change) -> None:
    """Make one change."""
    name = change.name
    if name == params["login"].username:
        new = params["login"].password
        client.request("PATCH", "update-password", username=name, password=new, current_password=client.login.password)
        client.login = params["login"]
        return
    if change.after is None:
        client.request("DELETE", "delete", username=name)
        return
    password = next(user["password"] for user in params["users"] if user["username"] == name)
    if change.before is None:
        client.request("POST", "create", username=name, password=password)
    elif change.sets("password"):
        client.request("PATCH", "update-password", username=name, password=password)
    if (change.before or {}).get("admin", False) != change.after["admin"]:
        client.request("PATCH", "update-admin", username=name, is_admin=change.after["admin"])
