# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._lab import htpasswd
from ansible_collections.mlops.platform.plugins.modules.lab_registry_login import wanted

EMPTY = {"password": "", "htpasswd": "", "auth.json": ""}


def test_a_hash_fits_its_password_only() -> None:
    hashed = htpasswd.hash_password("right")
    assert hashed.startswith("$2b$10$")
    assert htpasswd.matches("right", hashed)
    assert not htpasswd.matches("wrong", hashed)


def test_a_known_hash() -> None:
    """A published test vector, so that both sides are not wrong together."""
    known = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
    assert htpasswd.matches("U*U", known)
    assert not htpasswd.matches("U*U*", known)


@pytest.mark.parametrize("junk", ["", "*0", "$1$x$y", "plain"])
def test_what_is_no_bcrypt_hash_fits_nothing(junk: str) -> None:
    assert not htpasswd.matches("plain", junk)


def test_a_login_is_made_once_and_kept() -> None:
    first = wanted(EMPTY, "lab", "10.0.0.1:5000")
    assert wanted(first, "lab", "10.0.0.1:5000") == first
    assert wanted(EMPTY, "lab", "10.0.0.1:5000")["password"] != first["password"]
    token = json.loads(first["auth.json"])["auths"]["10.0.0.1:5000"]["auth"]
    assert base64.b64decode(token).decode() == f"lab:{first['password'].strip()}"


def test_another_user_or_password_gets_another_hash() -> None:
    first = wanted(EMPTY, "lab", "10.0.0.1:5000")
    renamed = wanted(first, "other", "10.0.0.1:5000")
    assert renamed["htpasswd"].startswith("other:")
    assert renamed["password"] == first["password"]
    given = wanted({**first, "password": "new\n"}, "lab", "10.0.0.1:5000")
    assert htpasswd.matches("new", given["htpasswd"].strip().partition(":")[2])
