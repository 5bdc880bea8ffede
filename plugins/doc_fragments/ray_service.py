# SPDX-License-Identifier: GPL-3.0-or-later
"""Which RayService a module is about."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of the modules about one RayService."""

    DOCUMENTATION = r"""
options:
  namespace:
    description: Namespace of the RayService.
    type: str
    default: mlops
  service:
    description: Name of the RayService.
    type: str
    default: ray
"""
