# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application answers, decided from what Serve says about its applications."""

from __future__ import annotations

import typing as t

RUNNING = "RUNNING"
Details = t.Mapping[str, t.Any]
Answer = tuple[int, dict[str, t.Any]]


class View(t.NamedTuple):
    """What is known of this Ray cluster; ``complete`` says that all its applications have run at the same time once."""

    details: Details
    complete: bool = False
    age: float = 0.0


def status_of(item: Details) -> str:
    """The status of one application; within Ray it is a member of an enumeration."""
    found = item.get("status")
    return str(getattr(found, "value", found))


def statuses(details: Details) -> dict[str, str]:
    """The status of each application."""
    return {name: status_of(item) for name, item in (details.get("applications") or {}).items()}


def missing(details: Details) -> dict[str, str]:
    """The applications that do not run, with their status."""
    return {name: status for name, status in statuses(details).items() if status != RUNNING}


def is_complete(details: Details) -> bool:
    """Whether everything that this cluster shall run does."""
    return bool(statuses(details)) and not missing(details)


def models(details: Details, own: str) -> list[dict[str, t.Any]]:
    """The other applications as a user sees them. Errors are for those who deploy, not for callers."""
    found = []
    for name, item in sorted((details.get("applications") or {}).items()):
        if name != own:
            arguments = (item.get("deployed_app_config") or {}).get("args") or {}
            entry = {"name": name, "route": item.get("route_prefix"), "status": status_of(item)}
            entry["docs"] = item.get("docs_path") and f"{item.get('route_prefix')}{item['docs_path']}"
            found.append({**entry, "model": arguments.get("model_uri")})
    return found


def answer(path: str, view: View, own: str) -> Answer:
    """Status and body of a request.

    A new Ray cluster gets traffic only when it can serve all models. Once it could, one model's trouble must not take
    the others' traffic away, so that a later worker or restart does not ask again.
    """
    if path in ("", "/"):
        return 200, {"models": models(view.details, own), "age_seconds": round(view.age, 1)}
    if path == "/ready":
        ready = view.complete or is_complete(view.details)
        return (200 if ready else 503), {"ready": ready, "waiting_for": {} if ready else missing(view.details)}
    return 404, {"detail": f"no model answers at {path}", "models": "/"}
