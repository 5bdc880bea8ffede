# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of the application, as they stand under ``args`` of its entry in the Serve configuration."""

from __future__ import annotations

import typing as t

ARGUMENTS = ("model_uri", "batching", "load_timeout_s")
BATCHING = ("max_batch_size", "wait_s")
SCHEMES = ("models:/", "runs:/", "mlflow-artifacts:/", "s3://")
NUMBER = (int, float)


class SettingsError(ValueError):
    """One readable sentence for the user."""


class Settings(t.NamedTuple):
    """What to serve; a batch of one request is no batch. A load waits that long for an MLflow that is away."""

    model_uri: str
    max_batch_size: int = 1
    wait_s: float = 0.01
    load_timeout_s: float = 900.0


def parse(arguments: t.Mapping[str, t.Any]) -> Settings:
    """The settings; SettingsError names the field that is wrong and what to do."""
    _known("", arguments, ARGUMENTS)
    uri = arguments.get("model_uri")
    if not isinstance(uri, str) or not uri.startswith(SCHEMES):
        raise SettingsError(f"model_uri: {uri!r} is not an address such as models:/iris/3; correct it")
    batching = arguments.get("batching") or {}
    if not isinstance(batching, dict):
        raise SettingsError(f"batching: {batching!r} is not a dictionary; write max_batch_size and wait_s into it")
    _known("batching.", batching, BATCHING)
    size = batching.get("max_batch_size", 1)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 10000:
        raise SettingsError(f"batching.max_batch_size: {size!r} is not a whole number from 1 to 10000; correct it")
    wait = _seconds("batching.wait_s", batching.get("wait_s", Settings._field_defaults["wait_s"]), 10)
    load = _seconds(
        "load_timeout_s", arguments.get("load_timeout_s", Settings._field_defaults["load_timeout_s"]), 86400
    )
    return Settings(uri, size, wait, load)


def _known(where: str, given: t.Mapping[str, t.Any], known: t.Sequence[str]) -> None:
    for field in given:
        if field not in known:
            raise SettingsError(f"{where}{field}: there is no such field; known are {', '.join(known)}")


def _seconds(field: str, value: t.Any, most: float) -> float:
    if not isinstance(value, NUMBER) or isinstance(value, bool) or not 0 <= value <= most:
        raise SettingsError(f"{field}: {value!r} is not a number of seconds from 0 to {most}; correct it")
    return float(value)
