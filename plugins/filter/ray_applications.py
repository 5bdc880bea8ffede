# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The applications of others, for the role ray_service: do they fit, how are they kept, what is wrong with them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.module_utils._ray import RayError, serve_config
from ansible_collections.mlops.platform.plugins.module_utils._ray.application import check_replicas
from ansible_collections.mlops.platform.plugins.module_utils._ray.state import RUNNING

Object = dict[str, t.Any]


def ray_check_applications(applications: t.Sequence[t.Mapping[str, t.Any]], workers: int) -> list[str]:
    """The names of the applications; an error where one would not fit on that many workers."""
    others = [application for application in applications if not application["built_in"]]
    for other in others:
        try:
            check_replicas(other["entry"], workers)
        except RayError as error:
            raise AnsibleFilterError(
                f"ray_service_workers: application {other['name']!r} would not fit: {error}"
            ) from error
    return [str(other["name"]) for other in others]


def ray_saved_applications(applications: t.Sequence[t.Mapping[str, t.Any]], missing: t.Sequence[Object] = ()) -> str:
    """The text of the file that a later installation deploys from: all applications but the platform's own.

    ``missing`` are those that the last installation has not deployed yet.
    """
    others = [application for application in applications if not application["built_in"]]
    entries = [{"name": other["name"], **other["entry"]} for other in others]
    return serve_config.dump({"applications": [*entries, *missing]})


def ray_missing_applications(text: str, applications: t.Sequence[t.Mapping[str, t.Any]]) -> list[Object]:
    """The applications of such a text, none where it is empty, that are not there."""
    there = {application["name"] for application in applications}
    try:
        entries = serve_config.entries(serve_config.parse(text))
    except RayError as error:
        raise AnsibleFilterError(f"the saved list of applications cannot be read: {error}") from error
    return [entry for entry in entries if entry.get("name") not in there]


def ray_refused_applications(missing: t.Sequence[Object], results: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """The text of the file with those of the applications whose result is an error."""
    refused = {result["item"] for result in results if "msg" in result}
    return ray_saved_applications([], [entry for entry in missing if entry["name"] in refused])


def ray_troubles(applications: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """What the applications that do not run say, each on a line of its own."""
    return "".join(
        f"\napplication {found['name']}: {found['status']} {found['message']}".rstrip()
        for found in applications
        if found["status"] not in ("", RUNNING)
    )


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {
            "ray_check_applications": ray_check_applications,
            "ray_saved_applications": ray_saved_applications,
            "ray_missing_applications": ray_missing_applications,
            "ray_refused_applications": ray_refused_applications,
            "ray_troubles": ray_troubles,
        }
