# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Where the objects of a set come from: templates, definitions and manifests."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import tempfile
import typing as t
import urllib.error
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.module_utils.urls import open_url
from ansible.template import trust_as_template

from ..module_utils._kube.documents import Document, all_opened, loaded, opened, parse
from ..module_utils._kube.errors import Faults, KubeError
from ._kube_action import untagged

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")
ROLE_TEMPLATES = "templates/kube/*.yml.j2"
MANIFESTS = (".yml", ".yaml", ".json")
FORMAT = "2"  # of the cache; a new one makes old files unused


class Renderer:
    """Renders templates with the variables of a task."""

    def __init__(self, action: t.Any, task_vars: t.Mapping[str, t.Any]) -> None:
        self.action = action
        self.variables = task_vars
        self.role_path: str = task_vars.get("role_path") or ""

    def documents(self, names: t.Sequence[str] | None) -> list[Document]:
        """The objects of the named templates, or of all of the role's."""
        faults = Faults()
        paths = collected(names, self.located, faults) if names is not None else self.of_role()
        found = collected(paths, self.rendered, faults)
        faults.refuse()
        return found

    def of_role(self) -> list[str]:
        """The role's templates, in name order."""
        return sorted(glob.glob(os.path.join(glob.escape(self.role_path), ROLE_TEMPLATES))) if self.role_path else []

    def located(self, name: str) -> list[str]:
        """The files that a name or pattern stands for."""
        if not glob.has_magic(name):
            try:
                return [self.action._find_needle("templates", name)]
            except AnsibleError as error:
                raise KubeError(f"templates: {error.message}") from error
        for folder in self.folders():
            found = sorted(glob.glob(os.path.join(folder, name)))
            if found:
                return found
        raise KubeError(f"templates: the pattern {name} finds no file")

    def folders(self) -> list[str]:
        """Where a relative name is looked up."""
        roots = [*(self.variables.get("ansible_search_path") or []), self.action._loader.get_basedir()]
        return ["", *(os.path.join(root, part) for root in roots for part in ("templates", ""))]

    def rendered(self, path: str) -> list[Document]:
        """The objects of one template."""
        name = os.path.relpath(path, self.role_path) if self.role_path and path.startswith(self.role_path) else path
        templar = self.action._templar.copy_with_new_env(
            searchpath=[os.path.dirname(path), *self.folders()[1:]], available_variables=self.variables
        )
        text = self.action._loader.get_text_file_contents(path)
        try:
            result = templar.template(trust_as_template(text), escape_backslashes=False, overrides=OVERRIDES)
        except AnsibleError as error:
            raise KubeError(f"template {name} cannot be rendered: {error.message}") from error
        return parse(plain(result), name) if isinstance(result, str) else opened(untagged(result), name)


OVERRIDES = {"trim_blocks": True, "lstrip_blocks": False}


def collected(items: t.Iterable[Item], function: t.Callable[[Item], list[Result]], faults: Faults) -> list[Result]:
    """The results for all items together; what is wrong with some is noted."""
    found: list[Result] = []
    for item in items:
        with faults.noted():
            found += function(item)
    return found


def plain(text: str) -> str:
    """The text without Ansible's tags, which a parser need not know."""
    return str.__str__(text)


def from_definitions(items: t.Sequence[t.Any] | None) -> list[Document]:
    """The objects that were given as dictionaries or as text."""
    faults = Faults()
    found = collected(enumerate(items or [], 1), definition, faults)
    faults.refuse()
    return found


def definition(numbered: tuple[int, t.Any]) -> list[Document]:
    """The objects of one definition, which has a number."""
    number, item = numbered
    source = f"definitions, item {number}"
    return parse(item, source) if isinstance(item, str) else opened(item, source)


def from_manifests(items: t.Sequence[t.Mapping[str, t.Any]] | None, find: t.Callable[[str], str]) -> list[Document]:
    """The objects of files and URLs."""
    faults = Faults()
    found = collected(items or [], lambda item: manifest(item, find), faults)
    faults.refuse()
    return found


def manifest(item: t.Mapping[str, t.Any], find: t.Callable[[str], str]) -> list[Document]:
    """The objects of one file, folder or URL."""
    if bool(item.get("path")) == bool(item.get("url")):
        raise KubeError("manifests: each entry has either path or url")
    if item.get("url"):
        return parsed(downloaded(item["url"], item.get("sha256")), item["url"])
    path = find(item["path"])
    if item.get("sha256") and os.path.isdir(path):
        raise KubeError(f"manifests: {path} is a folder, and sha256 is that of one file: name the files one by one")
    faults = Faults()
    found = collected(files(path), lambda name: from_file(name, item.get("sha256")), faults)
    faults.refuse()
    return found


def from_file(path: str, sha256: str | None) -> list[Document]:
    """The objects of one file."""
    data = Path(path).read_bytes()
    check_sum(data, sha256, path)
    return parsed(data, path)


def files(path: str) -> list[str]:
    """The file, or the manifests of a folder in name order."""
    if not os.path.isdir(path):
        return [path]
    found = sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith(MANIFESTS))
    if not found:
        raise KubeError(f"manifests: the folder {path} holds no {', '.join(MANIFESTS)} file")
    return found


def check_sum(data: bytes, wanted: str | None, source: str) -> None:
    """Refuse another content than the named one."""
    found = hashlib.sha256(data).hexdigest()
    if wanted and found != wanted.lower():
        raise KubeError(
            f"manifests: {source} has the SHA-256 {found}, not {wanted}: take the right file or correct sha256"
        )


def downloaded(url: str, sha256: str | None) -> bytes:
    """The content of a URL, from the cache where it was downloaded before."""
    if not sha256:
        raise KubeError(f"manifests: {url} needs sha256, so that it cannot change unnoticed")
    cached = cache_folder() / f"{sha256.lower()}.download"
    with contextlib.suppress(OSError):
        data = cached.read_bytes()
        if hashlib.sha256(data).hexdigest() == sha256.lower():
            return data
    try:
        data = open_url(url, timeout=30).read()
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise KubeError(f"manifests: {url} cannot be downloaded: {error}") from error
    check_sum(data, sha256, url)
    store(cached, data)
    return data


def parsed(data: bytes, source: str) -> list[Document]:
    """The objects of a manifest. Parsing megabytes of YAML takes seconds, so the result is cached by its hash."""
    cached = cache_folder() / f"{hashlib.sha256(data).hexdigest()}.{FORMAT}.json"
    values = remembered(cached)
    if values is not None:
        return all_opened(values, source)
    try:
        values = loaded(data.decode(), source)
    except UnicodeDecodeError as error:
        raise KubeError(f"{source} is not UTF-8 text") from error
    found = all_opened(values, source)
    store(cached, json.dumps(values).encode())
    return found


def remembered(path: Path) -> list[t.Any] | None:
    """All documents of a manifest, the empty ones too, so that each keeps its number; or None."""
    with contextlib.suppress(OSError, ValueError):
        values = json.loads(path.read_bytes())
        return values if isinstance(values, list) else None
    return None


def cache_folder() -> Path:
    """Where downloads and parsed manifests are kept."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(root) / "mlops.platform" / "manifests"


def store(path: Path, data: bytes) -> None:
    """Write a file of the cache; a cache that cannot be written is no cache, and no fault."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.replace(name, path)
