# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives the module the connection of its host. The documentation is in plugins/modules/ray_gcs_state.py."""

from __future__ import annotations

from ..plugin_utils._kube_action import ClusterModule as ActionModule

__all__ = ["ActionModule"]
