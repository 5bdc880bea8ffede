# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The applications of a RayService: checked, changed one at a time, and waited for.

Standard library only, and nothing of Ansible: the image ``ml`` holds this folder as the package ``mlops_ray``.
A notebook deploys with it, the module ray_serve_application too.
"""

from __future__ import annotations


class RayError(Exception):
    """One readable sentence for the user."""


class NotThereError(RayError):
    """There is no such object."""


class AwayError(RayError):
    """The API server does not answer, or says that it cannot now; asked again it may."""


class ConflictError(RayError):
    """The object was changed by somebody else since it was read."""


class DeployError(RayError):
    """The application does not run as wanted; the text has the application's own error."""
