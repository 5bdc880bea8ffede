# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What the module postgresql_database is made of."""

from __future__ import annotations


class PostgresqlError(Exception):
    """One readable sentence for the user."""


class NotThereError(PostgresqlError):
    """The server, or its password, is not there: in check mode it may yet come."""
