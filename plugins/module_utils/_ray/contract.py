# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The contract between a model and the Python environment that serves it: their env_id, see roles/images."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from . import RayError

ENVIRONMENT = Path("/opt/ml/environment.json")
# Where a model carries the env_id of the environment that made it: metadata of the model, tag of its version.
TAG = "mlops.env_id"
# Where a RayService carries what its image's environment serves; the env_ids are separated by blanks.
ANNOTATION, ANNOTATION_SERVES = "mlops.platform/env-id", "mlops.platform/env-id-serves"
POLICIES = ("enforce", "warn")


class Environment(t.NamedTuple):
    """A Python environment; ``serves`` are the env_ids of older models that it is known to serve besides its own."""

    env_id: str
    serves: tuple[str, ...] = ()
    lock: str = ""
    packages: t.Mapping[str, str] = {}


def of_image(path: Path = ENVIRONMENT) -> Environment:
    """The environment of the image that this runs in."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        return Environment(about["env_id"], tuple(about.get("serves") or ()), about["lock"], about["packages"])
    except (OSError, ValueError, KeyError) as error:
        raise RayError(f"{path} does not describe this image's environment: {error!r}; use the images ml") from error


def of_service(service: t.Mapping[str, t.Any], own: Environment) -> Environment:
    """The environment that a RayService's image has; one that does not say so has ours."""
    notes = service["metadata"].get("annotations") or {}
    if ANNOTATION not in notes:
        return own
    return Environment(notes[ANNOTATION], tuple((notes.get(ANNOTATION_SERVES) or "").split()))


def difference(model: str | None, serving: Environment) -> str:
    """What speaks against serving a model of that env_id in that environment, in words; empty when nothing does."""
    if model == serving.env_id or model in serving.serves:
        return ""
    if not model:
        return "the model does not say which environment made it (env_id)"
    ours, theirs = set(serving.env_id.split("-")), set(model.split("-"))
    made, serve = " ".join(sorted(theirs - ours)), " ".join(sorted(ours - theirs))
    return f"the model was made in {model}, and {serving.env_id} would serve it (there {made}, here {serve})"


def check(model: str | None, serving: Environment, policy: str) -> str:
    """RayError where the policy is enforce and the environments differ; else the warning, if there is one."""
    if policy not in POLICIES:
        raise RayError(f"env_policy: {policy!r} is not one of {', '.join(POLICIES)}; correct it")
    found = difference(model, serving)
    if found and policy == "enforce":
        raise RayError(
            f"env_policy: {found}; train and log it again with mlops.log_model in a notebook of the platform's image,"
            " list its env_id under 'serves' in images/images.yml once you know that it is served well,"
            " or deploy with env_policy=warn"
        )
    return found
