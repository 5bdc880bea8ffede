# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module lab_nfs_pods in the process of its task."""

from __future__ import annotations

import types
import typing as t

from ..modules import lab_nfs_pods
from ..plugin_utils._kube_action import LocalModule


class ActionModule(LocalModule):
    """The action plugin lab_nfs_pods."""

    MODULE: t.ClassVar[types.ModuleType] = lab_nfs_pods
