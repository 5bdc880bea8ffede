# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters about the platform's images: their names, and what is built."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, table, versions
from ansible_collections.mlops.platform.plugins.module_utils._images.registry import auth_document, split_address


def image_reference(name: str, registry: str, base: str = "", refresh: str = "") -> str:
    """The full name of one of the platform's images, as this checkout describes it."""
    try:
        return table.reference(name, registry, base or "", refresh or "")
    except ImagesError as error:
        raise AnsibleFilterError(f"image_reference: {error}") from error


def image_versions(base: str, refresh: str = "") -> dict[str, dict[str, str]]:
    """Tag and version of each of the platform's images, as this checkout describes them."""
    try:
        return versions.versions(base or "", refresh or "")
    except ImagesError as error:
        raise AnsibleFilterError(f"image_versions: {error}") from error


def image_specs(
    names: t.Sequence[str], base: str = "", binaries: t.Mapping[str, str] | None = None
) -> list[dict[str, t.Any]]:
    """The list of the container_images module for some images and what they are built on."""
    try:
        return table.specs(names, base or "", binaries)
    except ImagesError as error:
        raise AnsibleFilterError(f"image_specs: {error}") from error


def image_names(group: str) -> list[str]:
    """The names of a group of images: builder, platform or lab."""
    try:
        return table.names(group)
    except ImagesError as error:
        raise AnsibleFilterError(f"image_names: {error}") from error


def image_environment(name: str) -> dict[str, t.Any]:
    """The locked Python environment of an image, with its env_id, its lock's hash and all versions."""
    try:
        return table.environment_of(name)
    except ImagesError as error:
        raise AnsibleFilterError(f"image_environment: {error}") from error


def image_archives(images: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, str]]:
    """Name, reference and archive of each image that the container_images module returned."""
    return [{key: image[key] for key in ("name", "reference", "archive")} for image in images]


def registry_login(registry: str, username: str, password: str) -> str:
    """The login of a registry as a pull secret's .dockerconfigjson."""
    return auth_document(split_address(registry)[0], username, password)


class FilterModule:
    """Filters about the platform's images."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {
            "image_reference": image_reference,
            "image_versions": image_versions,
            "image_specs": image_specs,
            "image_names": image_names,
            "image_archives": image_archives,
            "image_environment": image_environment,
            "registry_login": registry_login,
        }
