"""The objects of a role as kube_set gets them, rendered without a cluster."""

from __future__ import annotations

import functools
import importlib.util
import typing as t
from pathlib import Path

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[1]
ROLES = ROOT / "roles"
# What an inventory says about a cluster.
CLUSTER = {
    "cluster_name": "unit01",
    "cluster_server": "https://unit01.example.com:6443",
    "storage_host": "nfs.example.com",
    "mlops_environment": "test",
    "images_registry": "registry.example.com/mlops",
    "platform_master_key": "0123456789abcdef0123456789abcdef",
    "platform_previous_master_key": "",
}
OVERRIDES = {"trim_blocks": True, "lstrip_blocks": False}  # as kube_set renders
Object = dict[str, t.Any]


@functools.cache
def loader() -> DataLoader:
    """What reads the files of the roles."""
    return DataLoader()


def role_file(role: str, path: str) -> dict[str, t.Any]:
    """The variables of one of a role's files, as templates."""
    file = ROLES / role / path / "main.yml"
    return loader().load_from_file(str(file), trusted_as_template=True) or {} if file.exists() else {}


def templar(role: str, **variables: t.Any) -> Templar:
    """What renders in the place of a role's tasks, after those of the role defaults."""
    files = [role_file(name, part) for name in ("defaults", role) for part in ("defaults", "vars")]
    given = {name: value for file in files for name, value in file.items()}
    own = {"role_path": str(ROLES / role), "role_name": role}
    engine = Templar(loader=loader(), variables={**given, **CLUSTER, **own, **variables})
    engine.available_variables = {**engine.available_variables, "mlops_layout": engine.template(given["mlops_layout"])}
    return engine


def objects(role: str, **variables: t.Any) -> list[Object]:
    """All objects of a role's own set."""
    return objects_of(role, f"__{role}_objects", "kube", **variables)


def objects_of(role: str, definitions: str, folder: str, **variables: t.Any) -> list[Object]:
    """All objects of one of a role's sets: a variable with definitions, and a folder of templates."""
    engine = templar(role, **variables)
    found = list(engine.template(trust_as_template(f"{{{{ {definitions} }}}}")))
    for path in sorted((ROLES / role / "templates" / folder).glob("*.yml.j2")):
        text = engine.template(trust_as_template(path.read_text()), escape_backslashes=False, overrides=OVERRIDES)
        found += [document for document in yaml.safe_load_all(str(text or "")) if document]
    return found


def one(found: t.Sequence[Object], kind: str, name: str = "") -> Object:
    """The only object of a kind, or the one of a name."""
    (match,) = [item for item in found if item["kind"] == kind and name in ("", item["metadata"]["name"])]
    return match


def script(role: str, name: str) -> t.Any:
    """One of a role's Python files as a module."""
    spec = importlib.util.spec_from_file_location(name, ROLES / role / "files" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
