# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page of playbooks/report.yml."""

from __future__ import annotations

import re
import typing as t

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
HEADINGS = ("component", "ready", "drift", "version", "used", "of", "address")
# The tag of one of the platform's own images, and how much of it tells two of them apart.
HASH = re.compile(r"^[0-9a-f]{16}$")
SHORT = 7
# The image that stands for a set of published images.
PUBLISHED = {"csi-driver-nfs": "nfsplugin"}
Row = t.Mapping[str, t.Any]


def platform_report(
    found: Row,
    cluster: str,
    environment: str,
    layout: t.Mapping[str, Row],
    sizes: t.Sequence[str],
    expected: t.Collection[str],
    built: t.Mapping[str, Row] | None = None,
) -> Row:
    """The report of one cluster: what platform_info found, with bytes used on the storage server.

    Sizes are lines of ``du --bytes``: the number, a tab, the path. Expected are names of sets; those that the cluster
    does not have are components that are not installed. Built are tags and versions of the platform's own images.
    """
    used = {path: int(number) for number, _, path in (line.partition("\t") for line in sizes)}
    components = [component(row, layout, used, built or {}) for row in found["components"]]
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
        "bytes_used": sum(used.values()) if used else None,
        "components": components,
    }


def component(
    row: Row, layout: t.Mapping[str, Row], used: t.Mapping[str, int], built: t.Mapping[str, Row]
) -> dict[str, t.Any]:
    """A component with its version and the bytes that its folders use."""
    known = [used[path] for path in folders(row, layout) if path in used]
    image = main_image(row, built)
    more = {"installed": True, "image": image, "version": version(image, built)}
    return {**row, **more, "bytes_used": sum(known) if known else None}


def folders(row: Row, layout: t.Mapping[str, Row]) -> list[str]:
    """The folders of a component: those of its claims, or its own where it has no claim, as Ray."""
    classes = {claim["storage_class"] for claim in row["claims"]}
    paths = [one["path"] for one in layout.values() if one.get("storage_class") in classes]
    return paths if classes else [path for path in [layout.get(row["component"], {}).get("path")] if path]


def missing(name: str) -> dict[str, t.Any]:
    """A component that should be on the cluster and is not."""
    nothing: dict[str, t.Any] = {"troubles": [], "images": [], "addresses": [], "claims": [], "bytes_used": None}
    state = {"installed": False, "ready": False, "drift": False, "image": "", "version": ""}
    return {"component": name, "namespace": "", **state, **nothing}


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
    state = ("ready" if one["ready"] else "NOT READY") + (", with drift" if one["drift"] else "")
    used = "" if one["bytes_used"] is None else f", {readable(one['bytes_used'])} on the storage server"
    # A set that runs nothing is worth a line only when it is not well.
    shown = [row for row in one["components"] if row["images"] or row["troubles"] or not row["installed"]]
    rows = [HEADINGS, *(cells(row) for row in shown)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    table = ["  " + "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    troubles = [f"  {row['component']}: {text}" for row in one["components"] for text in row["troubles"]]
    return [f"{title}: {state}{used}", *table, *troubles, ""]


def cells(row: Row) -> tuple[str, ...]:
    """One line of the table."""
    return (
        row["component"],
        ("yes" if row["ready"] else "no") if row["installed"] else "not installed",
        "yes" if row["drift"] else "no",
        version_cell(row),
        "-" if row["bytes_used"] is None else readable(row["bytes_used"]),
        ", ".join(claim["size"] for claim in row["claims"]) or "-",
        ", ".join(row["addresses"]) or "-",
    )


def named(image: str) -> tuple[str, str]:
    """Name and tag of an image, without its registry and digest."""
    name, _, tag = image.partition("@")[0].rsplit("/", 1)[-1].partition(":")
    return name, tag


def version(image: str, built: t.Mapping[str, Row]) -> str:
    """The version of what an image runs. A tag is one, but not the hash of an image that another checkout made."""
    name, tag = named(image)
    if name in built and built[name]["tag"] == tag:
        return str(built[name]["version"])
    return "" if HASH.match(tag) else tag


def main_image(row: Row, built: t.Mapping[str, Row]) -> str:
    """The image that stands for a component: the first of the platform's own with a version, else its main one."""
    own = [image for image in row["images"] if HASH.match(named(image)[1]) and version(image, built)]
    published = [image for image in row["images"] if named(image)[0] == PUBLISHED.get(row["component"])]
    return [*own, *published, *row["images"], ""][0]


def version_cell(row: Row) -> str:
    """The version and the beginning of the image's hash, or its name and tag; and how many more images there are."""
    if not row["image"]:
        return "-"
    name, tag = named(row["image"])
    hashed = row["version"] and HASH.match(tag)
    text = f"{row['version']} ({tag[:SHORT]})" if hashed else ":".join(filter(None, (name, tag)))
    return text + (f" +{len(row['images']) - 1}" if len(row["images"]) > 1 else "")


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
