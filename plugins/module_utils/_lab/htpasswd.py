# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""A login in the forms that a registry and its clients read."""

from __future__ import annotations

import base64
import ctypes
import hmac
import json
import secrets

from ansible_collections.mlops.platform.plugins.module_utils._lab import LabError

PASSWORD_BYTES = 24
ROUNDS = 10
ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _crypt(password: str, setting: str) -> str:
    # Python's own crypt module is gone since 3.13; libcrypt belongs to every Debian system.
    try:
        library = ctypes.CDLL("libcrypt.so.1")
    except OSError as error:
        raise LabError(f"the C library for passwords is missing ({error}): apt-get install libcrypt1") from error
    library.crypt.restype = ctypes.c_char_p
    result = library.crypt(password.encode(), setting.encode())
    return (result or b"*0").decode()


def new_password() -> str:
    """Return a random password without characters that a shell or a URL would change."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def hash_password(password: str) -> str:
    """Return a bcrypt hash, the only kind that the registry takes."""
    salt = "".join(secrets.choice(ALPHABET) for _ in range(21)) + "."
    hashed = _crypt(password, f"$2b${ROUNDS}${salt}")
    if not hashed.startswith("$2b$"):
        raise LabError("this system's libcrypt does not know bcrypt, which the registry needs")
    return hashed


def matches(password: str, hashed: str) -> bool:
    """Tell whether a bcrypt hash was made from this password."""
    return hashed.startswith("$2") and hmac.compare_digest(_crypt(password, hashed), hashed)


def htpasswd(username: str, password: str, current: str) -> str:
    """Return the file's content: the current one when it is still right, since each hash has another salt."""
    name, _colon, hashed = current.strip().partition(":")
    if name == username and matches(password, hashed):
        return current
    return f"{username}:{hash_password(password)}\n"


def auth_file(registry: str, username: str, password: str) -> str:
    """Return the login as Docker's config.json, which skopeo, buildah and pull secrets read."""
    token = base64.b64encode(f"{username}:{password}".encode()).decode()
    return json.dumps({"auths": {registry: {"auth": token}}}, indent=1) + "\n"
