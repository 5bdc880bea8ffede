# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# PRIVATE to the collection: may change at any time.
"""What the check of a volume means, in one sentence for each component. Pure."""

from __future__ import annotations

import typing as t

from .values import size

GIB = 1 << 30
_WORDS = {"folder": "making a folder", "write": "writing", "fsync": "fsync", "rename": "renaming", "lock": "locking"}


class Limits(t.NamedTuple):
    """From when on it is a warning, and from when on a failure."""

    fsync_warn_ms: float
    fsync_fail_ms: float
    free_fail: int


class Verdict(t.NamedTuple):
    """Of one component: ok, warning or failed, and why."""

    component: str
    status: str
    text: str

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.component}: {self.status}: {self.text}"


def judge(
    component: str, row: t.Mapping[str, t.Any], result: t.Mapping[str, t.Any], owner: str, limits: Limits
) -> Verdict:
    """Judge what the pod reported and whom the server saw."""
    if result.get("error"):
        return Verdict(component, "failed", f"the volume could not be used: {result['error']}")
    faults = [f"{_WORDS.get(step, step)} failed: {text}" for step, text in sorted(result["failed"].items())]
    faults += _owner_faults(row, owner) if not faults else []
    faults += _number_faults(result, limits)
    if faults:
        return Verdict(component, "failed", "; ".join(faults))
    notes = _notes(row, result, limits)
    return Verdict(component, "warning" if notes else "ok", "; ".join([*notes, _numbers(result, owner)]))


def _owner_faults(row: t.Mapping[str, t.Any], owner: str) -> list[str]:
    wish = f"{row['uid']}:{row['gid']}"
    if owner == wish:
        return []
    seen = f"the server sees the owner {owner}" if owner else "the server does not see the file"
    return [f"{seen}, and not {wish}: does the claim's folder lie in another export?"]


def _number_faults(result: t.Mapping[str, t.Any], limits: Limits) -> list[str]:
    faults = []
    if result.get("fsync_p99_ms", 0) > limits.fsync_fail_ms:
        faults.append(f"fsync takes {result['fsync_p99_ms']} ms (p99), more than {limits.fsync_fail_ms:g} ms")
    if "free_bytes" in result and result["free_bytes"] < limits.free_fail:
        faults.append(f"only {result['free_bytes'] / GIB:.1f} GiB are free")
    return faults


def _notes(row: t.Mapping[str, t.Any], result: t.Mapping[str, t.Any], limits: Limits) -> list[str]:
    notes = []
    if result["fsync_p99_ms"] > limits.fsync_warn_ms:
        notes.append(f"fsync is slow (p99 above {limits.fsync_warn_ms:g} ms)")
    if result["free_bytes"] < size(row["size"], "size"):
        notes.append(f"less is free than the claim's {row['size']}")
    return notes


def _numbers(result: t.Mapping[str, t.Any], owner: str) -> str:
    return (
        f"{result['write_mib_s']} MiB/s, fsync {result['fsync_median_ms']} ms (p99 {result['fsync_p99_ms']} ms), "
        f"rename and lock work, owner {owner}, {result['free_bytes'] / GIB:.1f} GiB free"
    )
