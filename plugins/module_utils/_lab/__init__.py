# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Code that only the lab's modules use."""

from __future__ import annotations


class LabError(Exception):
    """Something that stops the lab; the message names the field or the thing, and the remedy."""
