"""Manifests: what was parsed once is the same in the next run, its places too."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document, duplicates
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError
from ansible_collections.mlops.platform.plugins.module_utils._kube.objects import key_of
from ansible_collections.mlops.platform.plugins.plugin_utils import _kube_sources as sources

if t.TYPE_CHECKING:
    from pathlib import Path

ONE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
LIST = "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: s}}]\n"
TEXT = f"---\n{ONE}---\n# empty\n---\n{LIST}---\n{ONE}"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "mlops.platform" / "manifests"


def parsed() -> list[Document]:
    return sources.parsed(TEXT.encode(), "x.yml")


def test_the_second_run_names_the_same_places(monkeypatch: pytest.MonkeyPatch) -> None:
    first = parsed()
    assert [found.source.partition(", ")[2] for found in first] == ["document 1", "document 3", "document 4"]
    monkeypatch.setattr(sources, "loaded", None)  # nothing is parsed again
    assert parsed() == first
    assert duplicates(parsed(), key_of) == [
        "ConfigMap a stands twice: in x.yml, document 1 and in x.yml, document 4",
    ]


@pytest.mark.parametrize("content", ["", "not json", "{}", "null", '"text"'])
def test_a_cache_that_cannot_be_used_is_made_anew(cache: Path, content: str) -> None:
    first = parsed()
    (file,) = cache.iterdir()
    file.write_text(content)
    assert parsed() == first
    assert len(json.loads(file.read_bytes())) == 4


def test_a_cache_of_another_format_stays_unread(cache: Path) -> None:
    first = parsed()
    (file,) = cache.iterdir()
    name = file.name.replace(f".{sources.FORMAT}.", ".1.")
    file.rename(cache / name)
    (cache / name).write_text(json.dumps([found.object for found in reversed(first)]))
    assert parsed() == first


def test_a_manifest_with_a_fault_is_not_kept(cache: Path) -> None:
    for _run in range(2):
        with pytest.raises(KubeError, match=r"x\.yml, document 2 has no apiVersion"):
            sources.parsed(f"{ONE}---\nkind: ConfigMap\n".encode(), "x.yml")
    assert not cache.exists()
