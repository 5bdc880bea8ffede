# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of the Python environment."""

from __future__ import annotations

import json

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, environment

LOCK = """\
# made by a tool
category-encoders==2.8.1 \\
    --hash=sha256:aa
cloudpickle==3.1.2 \\
    --hash=sha256:bb
    # via mlflow==9.9
mlflow==3.17.2
numpy==2.5.5 ; python_version >= "3.13" \\
    --hash=sha256:cc
ray[default,serve]==2.60.0 --hash=sha256:dd
scikit_learn==1.9.1
six==1.17.0
"""
ENV_ID = "py3.13-ray2.60.0-mlflow3.17.2-numpy2.5.5-sklearn1.9.1-category_encoders2.8.1-cloudpickle3.1.2"


def test_env_id_names_the_contract_only() -> None:
    assert environment.env_id(LOCK, "3.13") == ENV_ID
    assert environment.env_id(LOCK.replace("six==1.17.0", "six==1.18.0"), "3.13") == ENV_ID


@pytest.mark.parametrize("change", [("ray[default,serve]==2.60.0", "ray==2.61.0"), ("numpy==2.5.5", "numpy==2.6.0")])
def test_a_contract_package_changes_it(change: tuple[str, str]) -> None:
    assert environment.env_id(LOCK.replace(*change), "3.13") != ENV_ID


def test_the_lock_hash_changes_with_anything() -> None:
    assert environment.lock_hash(LOCK) != environment.lock_hash(LOCK.replace("sha256:aa", "sha256:ab"))


def test_a_lock_without_the_contract_is_refused() -> None:
    with pytest.raises(ImagesError, match="does not have ray, numpy"):
        environment.env_id(LOCK.replace("ray[default,serve]==2.60.0", "").replace("numpy==", "nompy=="), "3.13")


def test_document_and_labels_agree() -> None:
    about = environment.about(LOCK, "3.13", ["py3.12-old"])
    document = json.loads(environment.document(about))
    labels = environment.labels(about)
    assert document["env_id"] == labels["mlops.platform.env_id"] == ENV_ID
    assert document["lock"] == labels["mlops.platform.lock"]
    assert document["packages"]["scikit-learn"] == "1.9.1"
    assert document["serves"] == ["py3.12-old"]
