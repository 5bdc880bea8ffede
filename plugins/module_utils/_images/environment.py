# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The contract of the Python environment that training and serving share, computed from its lock file."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError

# What must be the same where a model is made and where it is served, with the short names used in the env_id.
CONTRACT = {
    "ray": "ray",
    "mlflow": "mlflow",
    "numpy": "numpy",
    "scikit-learn": "sklearn",
    "category-encoders": "category_encoders",
    "cloudpickle": "cloudpickle",
}
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)


def packages(lock: str) -> dict[str, str]:
    """Normalised name and version of each package of a lock file."""
    return {re.sub(r"[-_.]+", "-", m["name"]).lower(): m["version"] for m in PINNED.finditer(lock)}


def env_id(lock: str, python: str) -> str:
    """The contract in one readable word, such as py3.13-ray2.60.0-mlflow3.17.2-..."""
    locked = packages(lock)
    absent = [name for name in CONTRACT if name not in locked]
    if absent:
        raise ImagesError(f"the lock of the Python environment does not have {', '.join(absent)}")
    return "-".join([f"py{python}", *(f"{short}{locked[name]}" for name, short in CONTRACT.items())])


def lock_hash(lock: str) -> str:
    """A hash of all packages and their files."""
    return hashlib.sha256(lock.encode()).hexdigest()


def about(lock: str, python: str, serves: t.Sequence[str] = ()) -> dict[str, t.Any]:
    """The environment; ``serves`` are the env_ids of older models that it is known to serve besides its own."""
    return {
        "env_id": env_id(lock, python),
        "lock": lock_hash(lock),
        "packages": packages(lock),
        "python": python,
        "serves": list(serves),
    }


def document(environment: t.Mapping[str, t.Any]) -> str:
    """The file that images carry about their environment."""
    return json.dumps(environment, indent=1, sort_keys=True) + "\n"


def labels(environment: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The labels of an image with that environment; images built on it inherit them."""
    return {"mlops.platform.env_id": environment["env_id"], "mlops.platform.lock": environment["lock"]}
