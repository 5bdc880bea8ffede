# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenAPI document as a page for people. It loads nothing from elsewhere: clusters often have no way out."""

from __future__ import annotations

import html
import json
import shlex
import typing as t

STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "pre{background:#f3f3f3;padding:1em;overflow:auto}table{border-collapse:collapse}"
    "td,th{border:1px solid #bbb;padding:.3em .8em;text-align:left}"
)


def render(document: t.Mapping[str, t.Any]) -> str:
    """The page."""
    info, route = document["info"], document["servers"][0]["url"].rstrip("/")
    title = html.escape(f"{info['title']} {info['version']}")
    parts = [
        f"<h1>{title}</h1>",
        f'<p><a href="{html.escape(route, quote=True)}/openapi.json">OpenAPI document</a></p>',
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += _operation(f"{method.upper()} {route}{path}", operation)
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _operation(what: str, operation: t.Mapping[str, t.Any]) -> list[str]:
    parts = [f"<h2><code>{html.escape(what)}</code></h2><p>{html.escape(operation['summary'])}</p>"]
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        rows = content["schema"]["properties"].get("dataframe_records", {}).get("items")
        parts += [_table(rows)] if rows and "properties" in rows else []
        example = shlex.quote(json.dumps(content["example"]))
        command = f"curl -H 'content-type: application/json' -d {example} $SERVER{what.split()[1]}"
        parts.append(f"<p>Example:</p><pre>{html.escape(command)}</pre>")
    answers = operation["responses"].items()
    parts += [f"<p>{status}: {html.escape(answer['description'])}</p>" for status, answer in answers]
    return parts


def _table(rows: t.Mapping[str, t.Any]) -> str:
    lines = []
    for name, kind in rows["properties"].items():
        needed = "yes" if name in rows["required"] else "no"
        types = kind.get("type", "any")
        shown = " or ".join(types) if isinstance(types, list) else types
        lines.append(f"<tr><td>{html.escape(name)}</td><td>{html.escape(shown)}</td><td>{needed}</td></tr>")
    return f"<table><tr><th>field</th><th>type</th><th>required</th></tr>{''.join(lines)}</table>"
