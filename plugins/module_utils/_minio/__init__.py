# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What the MinIO modules share: the connection, names and values, and the way from a plan to its result."""

from __future__ import annotations


class MinioError(Exception):
    """One readable sentence for the user."""


class NotThereError(MinioError):
    """The server does not answer, or does not know the administrator: in check mode it may yet come."""
