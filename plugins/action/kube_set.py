# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a cluster equal to a set of objects. The documentation is in plugins/modules/kube_set.py."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError

from ..module_utils._kube import options
from ..module_utils._kube.documents import Document
from ..module_utils._kube.engine import Engine
from ..module_utils._kube.errors import Faults, KubeError
from ..module_utils._kube.mask import Mask
from ..plugin_utils._kube_action import KubeAction, Result
from ..plugin_utils._kube_sources import Renderer, collected, from_definitions, from_manifests

MANIFEST = {"path": {"type": "str"}, "url": {"type": "str"}, "sha256": {"type": "str"}}
NOT_OWNED = {
    "kind": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "field": {"type": "str", "required": True},
}


class ActionModule(KubeAction):
    """The action plugin kube_set."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "templates": {"type": "list", "elements": "str"},
        "definitions": {"type": "list", "elements": "raw"},
        "manifests": {"type": "list", "elements": "dict", "options": MANIFEST},
        "prune": {"type": "bool", "default": True},
        "remove_claims": {"type": "bool", "default": False},
        "remove_namespaces": {"type": "bool", "default": False},
        "force_conflicts": {"type": "bool", "default": False},
        "controllers": {"type": "list", "elements": "str", "default": []},
        "not_owned": {"type": "list", "elements": "dict", "options": NOT_OWNED},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 300},
        "wait_grace": {"type": "int", "default": 30},
    }
    engine: Engine | None = None

    def act(self, args: dict[str, t.Any], task_vars: dict[str, t.Any], mask: Mask) -> Result:
        """Render, connect, run."""
        chosen = self.chosen(args)
        mask.public |= set(chosen.set_id)
        present = chosen.state == "present"
        host = str(task_vars.get("inventory_hostname", ""))
        # A server that nobody expects is refused before anything is downloaded or rendered for it.
        with self.connect(args, task_vars) as client:
            documents = self.documents(args, task_vars) if present else []
            for document in documents:
                mask.learn(document.object)
            self.engine = Engine(client, chosen, mask, self.progress(host, mask))
            outcome = self.engine.present(documents) if present else self.engine.absent()
            result = {**outcome.result(), "warnings": list(client.warnings)}
        return {**result, "diff": outcome.diff} if chosen.diff else result

    def chosen(self, args: dict[str, t.Any]) -> options.Options:
        """The options of the engine."""
        set_id = options.set_id(args["namespace"], args["name"])
        same = (
            "state",
            "prune",
            "remove_claims",
            "remove_namespaces",
            "force_conflicts",
            "wait",
            "wait_timeout",
            "wait_grace",
        )
        return options.Options(
            set_id=set_id,
            **{name: args[name] for name in same},
            controllers=tuple(args["controllers"]),
            not_owned=options.not_owned(args.get("not_owned"), set_id.namespace),
            check_mode=bool(self._task.check_mode),
            diff=bool(self._task.diff),
        )

    def documents(self, args: dict[str, t.Any], task_vars: dict[str, t.Any]) -> list[Document]:
        """All objects of the set, in the order of their sources."""
        sources: list[t.Callable[[], list[Document]]] = [
            lambda: from_manifests(args.get("manifests"), self.manifest),
            lambda: from_definitions(args.get("definitions")),
            lambda: Renderer(self, task_vars).documents(args.get("templates")),
        ]
        faults = Faults()
        found = collected(sources, lambda source: source(), faults)
        faults.refuse()
        return found

    def manifest(self, name: str) -> str:
        """The path of a manifest."""
        try:
            return str(self._find_needle("files", name))
        except AnsibleError as error:
            raise KubeError(f"manifests: {error.message}") from error

    def partial(self) -> Result:
        """What was done before a failure."""
        outcome = self.engine.done if self.engine else None
        return outcome.result() if outcome else super().partial()
