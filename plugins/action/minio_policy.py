# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives the module minio_policy the connection to the cluster of its host."""

from __future__ import annotations

import types
import typing as t

from ..modules import minio_policy
from ..plugin_utils._kube_action import ClusterModule


class ActionModule(ClusterModule):
    """The action plugin minio_policy."""

    MODULE: t.ClassVar[types.ModuleType] = minio_policy
