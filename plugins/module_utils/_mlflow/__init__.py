# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What the module mlflow_user is made of."""

from __future__ import annotations


class MlflowError(Exception):
    """One readable sentence for the user."""


class NotThereError(MlflowError):
    """The server does not answer, or does not know the administrator: in check mode it may yet come."""
