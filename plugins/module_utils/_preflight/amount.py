# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""What pods request, as numbers."""

from __future__ import annotations

import typing as t
from decimal import Decimal

from .._kube.errors import KubeError
from .._kube.quantity import value_of
from .verdict import Object

GIB = Decimal(1 << 30)


class Amount(dict[str, Decimal]):
    """Cores, bytes and extended resources such as GPUs, by the name of the resource."""

    def plus(self, other: Amount, times: int = 1) -> Amount:
        """This and the other one, several times."""
        return Amount({kind: self.of(kind) + other.of(kind) * times for kind in {**self, **other}})

    def fits(self, room: Amount) -> bool:
        """Whether there is room for it."""
        return all(number <= room.of(kind) for kind, number in self.items() if number > 0)

    def of(self, kind: str) -> Decimal:
        """The number of one resource."""
        return self.get(kind, Decimal(0))

    def __str__(self) -> str:
        """In words."""
        more = [f"{number.normalize():f} {kind}" for kind, number in sorted(self.items()) if "/" in kind and number]
        return " and ".join([f"{self.of('cpu').normalize():f} CPU", f"{self.of('memory') / GIB:.1f} GiB", *more])


def amount(values: t.Any) -> Amount:
    """Requests or allocatable resources as numbers; KubeError for what is no quantity."""
    found = Amount()
    for kind, value in (values or {}).items():
        number = value_of(value)
        if number is None:
            raise KubeError(f"{kind}: {value!r} is no quantity; write it as 500m or 2Gi")
        if kind in ("cpu", "memory") or "/" in kind:
            found[kind] = number
    return found


def requested(resources: t.Any) -> Amount:
    """What a container with these resources requests; without a request its limit counts."""
    found = resources or {}
    return amount({**(found.get("limits") or {}), **(found.get("requests") or {})})


def of_pod(pod: Object) -> Amount:
    """What a pod requests, as the scheduler sees it, sidecars aside."""
    spec = pod["spec"]
    total = Amount()
    for container in spec.get("containers") or []:
        total = total.plus(requested(container.get("resources")))
    for container in spec.get("initContainers") or []:
        first = requested(container.get("resources"))
        total = Amount({kind: max(total.of(kind), first.of(kind)) for kind in {**total, **first}})
    return total.plus(amount(spec.get("overhead")))
