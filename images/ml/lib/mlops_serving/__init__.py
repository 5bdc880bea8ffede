# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves any MLflow pyfunc model over HTTP by configuration alone; Serve imports ``mlops_serving.app:build``."""
