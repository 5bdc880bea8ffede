# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image's own code, found as in the image: its lib folder, and the collection's shared code as ``mlops_ray``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "images" / "ml" / "lib"))
sys.modules.setdefault(
    "mlops_ray", importlib.import_module("ansible_collections.mlops.platform.plugins.module_utils._ray")
)
