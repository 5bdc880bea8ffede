# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives the module the connection of its host. The documentation is in plugins/modules/kube_secret_digest.py."""

from __future__ import annotations

import types
import typing as t

from ..modules import kube_secret_digest
from ..plugin_utils._kube_action import ClusterModule


class ActionModule(ClusterModule):
    """The action plugin kube_secret_digest."""

    MODULE: t.ClassVar[types.ModuleType] = kube_secret_digest
