# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""The objects as they are sent: in one form, labelled, and with the hash of the configuration they use."""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t

from .documents import Document, duplicates
from .errors import Faults, KubeError, UnknownKindError
from .objects import (
    HASH_ANNOTATION,
    MARK_PREFIX,
    REPLACE_ANNOTATION,
    RESTART_ANNOTATION,
    SET_LABEL,
    Key,
    Object,
    SetId,
    key_of,
    meta_of,
)
from .resources import Resources

# Sources of configuration in a pod template: the field that holds the name -> the kind.
NAMED_BY = {
    "configMapRef": ("ConfigMap", "name"),
    "configMapKeyRef": ("ConfigMap", "name"),
    "configMap": ("ConfigMap", "name"),
    "secretRef": ("Secret", "name"),
    "secretKeyRef": ("Secret", "name"),
    "secret": ("Secret", "secretName"),
}


def desired(documents: t.Sequence[Document], resources: Resources, set_id: SetId) -> dict[Key, Object]:
    """All objects of the set, ready to be sent, or one message with all that is wrong in them."""
    for document in documents:
        if document.object["kind"] == "CustomResourceDefinition":
            resources.learn(document.object)
    faults, objects = Faults(), []
    for document in documents:
        with faults.noted():
            objects.append(Document(prepared(document, resources, set_id), document.source))
    faults.texts += duplicates(objects, key_of)
    faults.refuse()
    found = {key_of(document.object): document.object for document in objects}
    add_hashes(found)
    return found


def prepared(document: Document, resources: Resources, set_id: SetId) -> Object:
    """One object with its namespace and label, without what only the server writes."""
    try:
        obj: Object = without_nulls({name: value for name, value in document.object.items() if name != "status"})
    except KubeError as error:
        name = document.object["metadata"]["name"]
        raise KubeError(f"{document.source}: {document.object['kind']} {name}: {error}") from error
    try:
        resource = resources.find(obj["apiVersion"], obj["kind"])
    except UnknownKindError as error:
        raise KubeError(f"{document.source}: {error}: {resources.elsewhere(obj['kind'])}") from error
    meta = obj["metadata"] = dict(obj["metadata"])
    if resource.namespaced:
        meta["namespace"] = meta.get("namespace") or set_id.namespace
    elif meta.get("namespace"):
        raise KubeError(f"{document.source}: {obj['kind']} {meta['name']} is cluster-wide: remove metadata.namespace")
    if key_of(obj).is_namespace:
        # Several sets may share a namespace, so each has a mark of its own instead of the one label.
        meta["annotations"] = {**(meta.get("annotations") or {}), MARK_PREFIX + set_id.label: "true"}
    else:
        meta["labels"] = {**(meta.get("labels") or {}), SET_LABEL: set_id.label}
    return encoded(obj, document.source) if obj["kind"] == "Secret" and not resource.group else obj


def without_nulls(value: t.Any, path: str = "") -> t.Any:
    """The value without keys that hold nothing: the API takes them as not given. An empty item is a mistake."""
    if isinstance(value, dict):
        return {str(key): without_nulls(item, f"{path}.{key}") for key, item in value.items() if item is not None}
    if isinstance(value, list):
        if None in value:
            raise KubeError(f"{path.strip('.')} has an empty item: remove it or give it a value")
        return [without_nulls(item, f"{path}[{number}]") for number, item in enumerate(value)]
    return value


def encoded(secret: Object, where: str) -> Object:
    """A Secret with stringData moved to data, as the server does it."""
    given = {field: texts(secret, field, where) for field in ("data", "stringData")}
    secret.pop("stringData", None)
    moved = {name: base64.b64encode(value.encode()).decode() for name, value in given["stringData"].items()}
    data = {**given["data"], **moved}
    if data:
        secret["data"] = data
    return secret


def texts(secret: Object, field: str, where: str) -> dict[str, str]:
    """A Secret's values of one field; what is no text could not be hidden, and is refused without being shown."""
    title = f"{where}: Secret {secret['metadata']['name']}: {field}"
    found = secret.get(field) or {}
    if not isinstance(found, dict):
        raise KubeError(f"{title} is no mapping of names to texts")
    for name, value in found.items():
        if not isinstance(value, str):
            raise KubeError(f"{title}.{name} is not text: put it in quotes")
    return found


def add_hashes(objects: t.Mapping[Key, Object]) -> None:
    """Give each pod template the hash of the set's ConfigMaps and Secrets that it uses."""
    sources = {
        (key.kind, key.namespace, key.name): obj
        for key, obj in objects.items()
        if key.kind in ("ConfigMap", "Secret") and not key.group
        if meta_of(obj, "annotations").get(RESTART_ANNOTATION) != "false"
    }
    for key, obj in objects.items():
        # The template of a Job and a Pod itself cannot change, unless the object may be replaced.
        fixed = key.kind in ("Job", "Pod") and not may_be_replaced(obj)
        if key.group == "apiextensions.k8s.io" or fixed:
            continue
        for template in pod_templates(obj):
            used = sorted({(kind, key.namespace, name) for kind, name in references(template)} & sources.keys())
            if used:
                annotations = template.setdefault("metadata", {}).setdefault("annotations", {})
                annotations[HASH_ANNOTATION] = digest([content(sources[name]) for name in used])


def may_be_replaced(obj: Object) -> bool:
    """Whether the template allows to delete and create the object."""
    return meta_of(obj, "annotations").get(REPLACE_ANNOTATION) == "true"


def pod_templates(value: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """Each mapping below the value whose spec has containers, custom resources included."""
    if isinstance(value, dict):
        spec = value.get("spec")
        if isinstance(spec, dict) and isinstance(spec.get("containers"), list):
            yield value
            return
        for item in value.values():
            yield from pod_templates(item)
    elif isinstance(value, list):
        for item in value:
            yield from pod_templates(item)


def references(value: t.Any) -> t.Iterator[tuple[str, str]]:
    """The ConfigMaps and Secrets that a pod template uses, as kind and name."""
    if isinstance(value, dict):
        for field, item in value.items():
            kind, name_field = NAMED_BY.get(field, ("", ""))
            if kind and isinstance(item, dict):
                name = item.get(name_field) or item.get("name")
                if isinstance(name, str):
                    yield kind, name
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def content(obj: Object) -> list[t.Any]:
    """What a pod sees of a ConfigMap or Secret."""
    return [obj["kind"], obj["metadata"]["name"], obj.get("data"), obj.get("binaryData")]


def digest(value: t.Any) -> str:
    """A short hash of a value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
