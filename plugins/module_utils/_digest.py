# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Whether a secret is another one, told without the secret."""

from __future__ import annotations

import hashlib
import hmac
import json
import typing as t

LENGTH = 16
# Characters that a master key must have.
KEY_LENGTH = 32


def keyed_digest(key: str, values: t.Sequence[str | None]) -> str:
    """HMAC-SHA256 of values, shortened to 16 hexadecimal digits: without the key nobody can try passwords on it."""
    return hmac.new(key.strip().encode(), json.dumps(list(values)).encode(), hashlib.sha256).hexdigest()[:LENGTH]
