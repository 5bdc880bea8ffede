# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions of the module mlflow_user. The requests themselves are tested against a real server."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._mlflow import MlflowError, NotThereError, run, users
from ansible_collections.mlops.platform.plugins.module_utils._mlflow.client import (
    Login,
    RefusedError,
    address,
    answer,
)

ADMIN = Login("admin", "the-admins-password")
ANA = {"username": "ana", "password": "anas-password", "update_password": True, "admin": False, "state": "present"}


def wanted(*rows: dict[str, t.Any]) -> t.Any:
    return users.wanted({"login": ADMIN, "users": [{**ANA, **row} for row in rows]})


def test_the_administrator_comes_first() -> None:
    assert wanted({"admin": True}, {"username": "bob", "state": "absent"}) == {
        "admin": {"admin": True, "password": users.GIVEN},
        "ana": {"admin": True, "password": users.GIVEN},
        "bob": None,
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"username": ""}], r"users\[0\].username: '' is empty"),
        ([{"username": "a:b"}], r"users\[0\].username: 'a:b' .* holds ':'"),
        ([{}, {}], r"users\[1\].username: 'ana' is given twice"),
        ([{"username": "admin"}], r"users\[0\].username: 'admin' is the administrator"),
        ([{"password": "short"}], r"users\[0\].password: it has 5 characters; MLflow wants at least 12"),
        ([{"password": None}], r"users\[0\].password: it has 0 characters"),
    ],
)
def test_users_that_mlflow_would_refuse(rows: list[dict[str, t.Any]], message: str) -> None:
    with pytest.raises(MlflowError, match=message):
        wanted(*rows)


def test_a_short_password_is_not_shown() -> None:
    with pytest.raises(MlflowError) as caught:
        wanted({"password": "s3cr3t"})
    assert "s3cr3t" not in str(caught.value)


GIVEN = {"endpoint": "x:1", "namespace": None, "admin_password": "the-admins-password", "login_secret": None}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"endpoint": None}, "namespace: it is missing"),
        ({"login_secret": "mlflow", "admin_password": None}, "namespace: it is missing"),
        ({"admin_password": None}, "give either admin_password or login_secret"),
        ({"namespace": "n", "login_secret": "mlflow"}, "give either admin_password or login_secret"),
    ],
)
def test_who_signs_in_and_where_must_be_clear(changed: dict[str, t.Any], message: str) -> None:
    with pytest.raises(MlflowError, match=message):
        run.check({**GIVEN, **changed})


def test_a_server_that_is_not_there_yet_is_planned() -> None:
    def nowhere(_params: t.Any) -> t.Any:
        raise NotThereError("no server")

    params = {**GIVEN, "admin_username": "admin", "previous_passwords": [], "users": [ANA]}
    planned = run.manage(params, True, nowhere)
    assert planned["created"] == planned["not_verified"] == ["admin", "ana"]
    with pytest.raises(MlflowError, match="no server"):
        run.manage(params, False, nowhere)


def test_errors_keep_the_servers_words() -> None:
    with pytest.raises(RefusedError, match=r"^MLflow: too short \(INVALID_PARAMETER_VALUE\)$"):
        answer(400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "too short"}')
    with pytest.raises(RefusedError, match=r"^MLflow: Bad Gateway \(502\)$"):
        answer(502, b"Bad Gateway")
    with pytest.raises(RefusedError, match="add the name to its allowed hosts"):
        answer(403, b"Invalid Host header - possible DNS rebinding attack detected")
    assert answer(200, b"") == {}


def test_endpoints() -> None:
    assert address("http://mlflow:5000/") == ("mlflow", 5000, None, "")
    where = address("https://mlops.example.com/mlflow")
    assert (where.host, where.port, where.prefix) == ("mlops.example.com", 443, "/mlflow")
    assert where.tls is not None


@pytest.mark.parametrize("endpoint", ["ftp://x", "http://", "http://x:port"])
def test_endpoints_that_are_none(endpoint: str) -> None:
    with pytest.raises(MlflowError, match=r"endpoint: .*write http://host:port"):
        address(endpoint)
