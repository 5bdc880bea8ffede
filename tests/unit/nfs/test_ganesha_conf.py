# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""NFS-Ganesha's configuration: what is written is read back, and what others write is understood."""

from __future__ import annotations

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import ganesha_conf
from ansible_collections.mlops.platform.plugins.module_utils._nfs.exports5 import Entry
from ansible_collections.mlops.platform.plugins.module_utils._nfs.spec import Export, Rules
from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import RefusedError

EXPECTED = """
EXPORT {
    Export_Id = 4711;
    Path = "/bitnami/c/my minio";
    Pseudo = "/bitnami/c/my minio";
    Access_Type = None;
    CLIENT {
        Clients = 10.0.0.0/24, 2001:db8::/64;
        Access_Type = RW;
        Squash = All_Squash;
        Anonymous_Uid = 1000;
        Anonymous_Gid = 100;
        SecType = krb5, krb5i;
        PrivilegedPort = true;
    }
    FSAL { Name = VFS; }
}
"""


def test_a_block() -> None:
    export = Export(
        "/bitnami/c/my minio",
        ("10.0.0.0/24", "2001:db8::/64"),
        Rules("rw", "all", 1000, 100, others=("sec=krb5:krb5i",)),
    )
    assert ganesha_conf.render([export], {export.path: 4711}) == EXPECTED


@pytest.mark.parametrize(
    "rules", [Rules("rw", "all", 1000, 1000), Rules("ro", "root", 65534, 65534, secure=False), Rules("rw", "none")]
)
def test_what_is_written_is_read_back(rules: Rules) -> None:
    export = Export("/bitnami/c/my minio", ("10.0.0.0/24", "2001:db8::1", "@nodes", "*.example.com"), rules)
    blocks = ganesha_conf.parse(ganesha_conf.render([export], {export.path: 5}), "x")
    assert ganesha_conf.entries(blocks) == [Entry(export.path, client, rules) for client in export.clients]
    assert ganesha_conf.export_ids(blocks) == {export.path: 5}


def test_what_others_write() -> None:
    text = """
# a comment { with a brace
NFS_CORE_PARAM { Protocols = 3, 4; }
%include "other.conf"
export { export_id = 9; path = /srv/a/; pseudo = /a; access_type = RW; squash = None; # end
  client { clients = h1,10.0.0.0/24; squash = 'All'; anon_uid = 7; access_type = RO }
}
EXPORT { Export_Id = 10; Path = "/srv/b"; };
""".replace("RO }", "RO; }").replace("};\n", "}\n")
    blocks = ganesha_conf.parse(text, "x")
    assert ganesha_conf.entries(blocks) == [
        Entry("/srv/a", "*", Rules("rw", "none", secure=False)),
        Entry("/srv/a", "h1", Rules("ro", "all", 7, 65534, secure=False)),
        Entry("/srv/a", "10.0.0.0/24", Rules("ro", "all", 7, 65534, secure=False)),
        Entry("/srv/b", "*", Rules("ro", "root", secure=False)),
    ]
    assert ganesha_conf.export_ids(blocks) == {"/srv/a": 9, "/srv/b": 10}


def test_includes() -> None:
    text = '%include base.conf\n  %dir "/etc/ganesha/exports.d/"\n# %dir /no\nEXPORT { }\n'
    assert ganesha_conf.includes(text) == [("include", "base.conf"), ("dir", "/etc/ganesha/exports.d")]


@pytest.mark.parametrize(
    "text", ["EXPORT", "EXPORT {", "EXPORT { Path }", "EXPORT { Path = /a", "EXPORT { Path = /a }", '"open']
)
def test_a_broken_file_is_named(text: str) -> None:
    with pytest.raises(RefusedError, match=r"^/etc/ganesha/ganesha.conf"):
        ganesha_conf.parse(text, "/etc/ganesha/ganesha.conf")


@pytest.mark.parametrize(
    ("path", "rules", "message"),
    [
        ("/a", Rules(sync=False), r"exports\[0\]\.sync: "),
        ("/a", Rules(others=("crossmnt",)), r"exports\[0\]\.options: 'crossmnt'"),
        ('/a"b', Rules(), r"exports\[0\]\.path: "),
        ("/a\\b", Rules(), r"exports\[0\]\.path: "),
    ],
)
def test_what_it_cannot_do_is_refused(path: str, rules: Rules, message: str) -> None:
    with pytest.raises(RefusedError, match="^" + message):
        ganesha_conf.check(Export(path, ("h",), rules, field="exports[0]"))
    ganesha_conf.check(Export("/a", ("h",), Rules(others=("no_subtree_check", "sec=krb5")), field="exports[0]"))
