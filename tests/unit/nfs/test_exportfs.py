# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What exportfs says. The lines are those of nfs-utils 2.6.2."""

from __future__ import annotations

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import exportfs, exports5
from ansible_collections.mlops.platform.plugins.module_utils._nfs.spec import Export, Rules
from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import RefusedError

OPTIONS = "sync,wdelay,hide,no_subtree_check,fsid=2,anonuid=1000,anongid=1000,sec=sys,rw,secure,root_squash,all_squash"
ALL = Rules("rw", "all", 1000, 1000)
ADDRESSES = {"a": "10.0.0.1", "a.example.com": "10.0.0.1", "b": "10.0.0.2", "c.example.com": "10.0.0.3"}


def resolve(name: str) -> frozenset[str]:
    return frozenset({ADDRESSES[name]}) if name in ADDRESSES else frozenset()


def table(*clients: str) -> list[exports5.Entry]:
    return exportfs.parse("".join(f"/srv/x  {client}({OPTIONS})\n" for client in clients))


def differences(wish: tuple[str, ...], *live: str) -> list[str]:
    return list(exportfs.differences(Export("/srv/x", wish, ALL), table(*live), resolve))


@pytest.mark.parametrize(
    ("line", "path", "client"),
    [
        (r"/r/a\040b  10.0.0.0/24(%s)", "/r/a b", "10.0.0.0/24"),
        (r"/r/t\011b  2001:db8::/64(%s)", "/r/t\tb", "2001:db8::/64"),
        (r'/r/q"x  localhost(%s)', '/r/q"x', "localhost"),
        (r"/r/h#x  @nodes(%s)", "/r/h#x", "@nodes"),
        (r"/r/b\134x  *.example.com(%s)", "/r/b\\x", "*.example.com"),
        ("/r/ü\u2028x  *(%s)", "/r/ü\u2028x", "*"),
        ("/r/mask  10.1.1.0/255.255.255.0(%s)", "/r/mask", "10.1.1.0/24"),
    ],
)
def test_the_table_is_read(line: str, path: str, client: str) -> None:
    found = exportfs.parse(line % OPTIONS + "\n")
    assert [(one.path, one.client, one.rules.squash, one.rules.anonuid) for one in found] == [
        (path, client, "all", 1000)
    ]


def test_a_line_that_cannot_be_read_is_shown() -> None:
    with pytest.raises(RefusedError, match=r"^backend: exportfs -s says '/x h\(rw', which cannot be read"):
        exportfs.parse("/x h(rw\n")


@pytest.mark.parametrize(
    ("wish", "live", "words"),
    [
        (("a", "b"), ("a.example.com", "b"), []),
        (("a", "typo"), ("a.example.com",), ["/srv/x is not exported to typo"]),
        (
            ("typo",),
            ("c.example.com",),
            ["/srv/x is not exported to typo", "/srv/x is still exported to c.example.com"],
        ),
        (("a", "b"), ("a.example.com",), ["/srv/x is not exported to b"]),
        # The addresses of b have changed since exportfs looked.
        (("a", "b"), ("a.example.com", "c.example.com"), []),
        (("a", "a.example.com"), ("a.example.com",), []),
        (
            ("*.example.com",),
            ("a.example.com",),
            ["/srv/x is not exported to *.example.com", "/srv/x is still exported to a.example.com"],
        ),
        (("10.0.0.1",), ("10.0.0.1", "10.0.0.2"), ["/srv/x is still exported to 10.0.0.2"]),
    ],
)
def test_clients_are_compared(wish: tuple[str, ...], live: tuple[str, ...], words: list[str]) -> None:
    assert differences(wish, *live) == words


def test_options_are_compared() -> None:
    export = Export("/srv/x", ("a",), Rules("rw", "all", 999, 999))
    assert list(exportfs.differences(export, table("a.example.com"), resolve)) == [
        "/srv/x is exported to a with other options"
    ]


@pytest.mark.parametrize(
    ("said", "own"),
    [
        ("exportfs: Failed to stat /srv/x: No such file or directory", True),
        ("exportfs: /srv/x does not support NFS export", True),
        ("exportfs: /etc/exports.d/p.exports:1: unknown keyword", True),
        ("exportfs: Failed to stat /srv/x/deeper: No such file or directory", False),
        ("exportfs: Failed to stat /other/srv/x: No such file or directory", False),
        ("exportfs: can't open /etc/exports for reading", False),
    ],
)
def test_whom_a_complaint_is_about(said: str, own: bool) -> None:
    assert exportfs.names_one(said, ["/etc/exports.d/p.exports", "/srv/x"]) is own
