# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""exports(5): what is written is read back, and what others write is understood."""

from __future__ import annotations

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import exports5
from ansible_collections.mlops.platform.plugins.module_utils._nfs.exports5 import Entry
from ansible_collections.mlops.platform.plugins.module_utils._nfs.spec import Export, Rules
from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import RefusedError

MINIO = Rules("rw", "all", 1000, 1000)


def test_a_line() -> None:
    text = exports5.render([Export("/bitnami/c/minio", ("10.0.0.0/24", "2001:db8::/64"), MINIO)])
    options = "rw,sync,secure,all_squash,anonuid=1000,anongid=1000,no_subtree_check"
    assert text == f"/bitnami/c/minio 10.0.0.0/24({options}) 2001:db8::/64({options})\n"


@pytest.mark.parametrize(
    "path",
    ["/plain", "/with space", '/with"quote', "/with#hash", "/back\\slash", "/tab\there", "/ünï/日本", "/a\\040b"],
)
@pytest.mark.parametrize(
    "rules",
    [
        MINIO,
        Rules("ro", "root", 65534, 65534, False, False, ("fsid=3", "sec=krb5")),
        Rules("rw", "none", others=("crossmnt",)),
    ],
)
def test_what_is_written_is_read_back(path: str, rules: Rules) -> None:
    export = Export(path, ("10.0.0.0/24", "2001:db8::1", "*.example.com", "@nodes"), rules)
    found = exports5.parse(exports5.render([export]), "x")
    assert [(entry.path, entry.client, entry.rules) for entry in found] == [
        (path, client, rules) for client in export.clients
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("# /a h(rw)\n\n   # /b h(rw)\n", []),
        ("/a h(rw) # the rest\n", [("/a", "h", "rw")]),
        ("/a/ h(rw)", [("/a", "h", "rw")]),
        ("/ h(rw)", [("/", "h", "rw")]),
        ('"/a b" h(rw)\n', [("/a b", "h", "rw")]),
        ('"/a #b" h(rw)\n', [("/a #b", "h", "rw")]),
        ("/a\\040b h(rw)\n", [("/a b", "h", "rw")]),
        ("/a h(rw) \\\n   i(ro)\n/b j\n", [("/a", "h", "rw"), ("/a", "i", "ro"), ("/b", "j", "ro")]),
        ("/a h(rw) \\", [("/a", "h", "rw")]),
        ("/a h(rw) # not continued \\\n/b i(rw)\n", [("/a", "h", "rw"), ("/b", "i", "rw")]),
        ("/a -rw h i(ro)\n", [("/a", "h", "rw"), ("/a", "i", "rw")]),
        ("/a\n", [("/a", "*", "ro")]),
        ("/a (rw)\n", [("/a", "*", "rw")]),
        ("/a h (rw)\n", [("/a", "h", "ro"), ("/a", "*", "rw")]),
        ("/a *(rw)\n", [("/a", "*", "rw")]),
        ("/a <world>(rw)\n", [("/a", "*", "rw")]),
        ("/a [2001:db8::1](rw)\n", [("/a", "2001:db8::1", "rw")]),
        ("/a 2001:DB8::/32(rw)\n", [("/a", "2001:db8::/32", "rw")]),
        ("/a 10.0.0.0/255.255.255.0(rw)\n", [("/a", "10.0.0.0/24", "rw")]),
        ("/a 10.0.0.7/32(rw)\n", [("/a", "10.0.0.7", "rw")]),
        ("/a 10.0.0.*(rw)\n", [("/a", "10.0.0.*", "rw")]),
        ("/a\t\th(rw)\n", [("/a", "h", "rw")]),
    ],
)
def test_parse(text: str, found: list[tuple[str, str, str]]) -> None:
    assert [(entry.path, entry.client, entry.rules.access) for entry in exports5.parse(text, "x")] == found


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        ("", Rules("ro", "root")),
        ("rw,no_root_squash", Rules("rw", "none")),
        ("rw,all_squash,anonuid=7,anongid=8", Rules("rw", "all", 7, 8)),
        ("rw,anonuid=-2", Rules("rw", "root", 4294967294)),
        ("async,insecure", Rules("ro", "root", sync=False, secure=False)),
        ("sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,root_squash,no_all_squash", Rules("rw", "root")),
        ("rw,crossmnt,mountpoint=/x", Rules("rw", others=("crossmnt", "mountpoint=/x"))),
    ],
)
def test_rules_as_exportfs_tells_them(options: str, rules: Rules) -> None:
    assert exports5.parse(f"/a  h({options})", "x") == [Entry("/a", "h", rules)]


@pytest.mark.parametrize(
    ("text", "at"), [('/a h(rw)\n"/b h(rw)\n', "x line 2"), ("/a h(rw\n", "x line 1"), ("/a h)(rw\n", "x line 1")]
)
def test_a_broken_line_is_named(text: str, at: str) -> None:
    with pytest.raises(RefusedError, match=f"^{at}: "):
        exports5.parse(text, "x")
