# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page of playbooks/report.yml."""

from __future__ import annotations

import typing as t

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
HEADINGS = ("component", "ready", "drift", "version", "used", "of", "address")
Row = t.Mapping[str, t.Any]


def platform_report(
    found: Row,
    cluster: str,
    environment: str,
    layout: t.Mapping[str, Row],
    sizes: t.Sequence[str],
    expected: t.Collection[str],
) -> Row:
    """The report of one cluster: what platform_info found, with bytes used on the storage server.

    Sizes are lines of ``du --bytes``: the number, a tab, the path. Expected are names of sets; those that the cluster
    does not have are components that are not installed.
    """
    used = {path: int(number) for number, _, path in (line.partition("\t") for line in sizes)}
    volumes = {row["storage_class"]: used.get(row["path"]) for row in layout.values() if "storage_class" in row}
    components = [component(row, volumes) for row in found["components"]]
    if not found["error"]:
        present = {row["component"] for row in components}
        components += [missing(name) for name in expected if name not in present]
    return {
        "cluster": cluster,
        "environment": environment,
        "kubernetes": found["version"],
        "error": found["error"],
        "ready": not found["error"] and bool(found["components"]) and all(row["ready"] for row in components),
        "drift": any(row["drift"] for row in components),
        "components": components,
    }


def component(row: Row, volumes: t.Mapping[str, int | None]) -> dict[str, t.Any]:
    """A component with the bytes that its folders use."""
    sizes = [volumes.get(claim["storage_class"]) for claim in row["claims"]]
    known = [size for size in sizes if size is not None]
    return {**row, "installed": True, "bytes_used": sum(known) if known else None}


def missing(name: str) -> dict[str, t.Any]:
    """A component that should be on the cluster and is not."""
    nothing: dict[str, t.Any] = {"troubles": [], "images": [], "addresses": [], "claims": [], "bytes_used": None}
    return {"component": name, "namespace": "", "installed": False, "ready": False, "drift": False, **nothing}


def report_lines(reports: t.Sequence[Row]) -> list[str]:
    """All clusters as one page of text."""
    return [line for one in reports for line in cluster_lines(one)]


def cluster_lines(one: Row) -> list[str]:
    """One cluster: a heading, a table, and what is not well."""
    title = f"{one['cluster']} ({one['environment']}), Kubernetes {one['kubernetes'] or 'unknown'}"
    if one["error"]:
        return [f"{title}: cannot be read", f"  {one['error']}", ""]
    if not any(row["installed"] for row in one["components"]):
        return [f"{title}: the platform is not installed", ""]
    state = "ready" if one["ready"] else "NOT READY"
    # A set that runs nothing is worth a line only when it is not well.
    shown = [row for row in one["components"] if row["images"] or row["troubles"] or not row["installed"]]
    rows = [HEADINGS, *(cells(row) for row in shown)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    table = ["  " + "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    troubles = [f"  {row['component']}: {text}" for row in one["components"] for text in row["troubles"]]
    return [f"{title}: {state}{', with drift' if one['drift'] else ''}", *table, *troubles, ""]


def cells(row: Row) -> tuple[str, ...]:
    """One line of the table."""
    return (
        row["component"],
        ("yes" if row["ready"] else "no") if row["installed"] else "not installed",
        "yes" if row["drift"] else "no",
        version(row["images"]),
        "-" if row["bytes_used"] is None else readable(row["bytes_used"]),
        ", ".join(claim["size"] for claim in row["claims"]) or "-",
        ", ".join(row["addresses"]) or "-",
    )


def version(images: t.Sequence[str]) -> str:
    """The first image without its registry, and how many more there are."""
    if not images:
        return "-"
    return images[0].rsplit("/", 1)[-1] + (f" (+{len(images) - 1})" if len(images) > 1 else "")


def readable(number: float) -> str:
    """Bytes in the largest unit that leaves a number above one."""
    for unit in UNITS:
        if number < 1024 or unit == UNITS[-1]:
            break
        number /= 1024
    return f"{number:.1f} {unit}" if unit != "B" else f"{number:.0f} B"


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {"platform_report": platform_report, "report_lines": report_lines}
