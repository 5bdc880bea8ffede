# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the module's parameters to exports and folders."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import spec
from ansible_collections.mlops.platform.plugins.module_utils._nfs.spec import Folder, Rules, Wanted
from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import RefusedError

USERS = {"root": 0, "minio": 1000}


def item(**changes: t.Any) -> dict[str, t.Any]:
    base: dict[str, t.Any] = {"path": "c/minio", "owner": "1000", "group": "1000", "mode": "0700", "quota": ""}
    base |= dict.fromkeys(("access", "squash", "anonuid", "anongid", "sync", "secure"))
    base |= {"clients": ["10.0.0.0/24"], "options": [], "directories": []}
    return {**base, **changes}


def sub(path: str, **changes: t.Any) -> dict[str, t.Any]:
    return {"path": path, "owner": None, "group": None, "mode": None, **changes}


def wanted(*items: dict[str, t.Any], **changes: t.Any) -> Wanted:
    params = {
        "name": "prod01", "root": "/bitnami", "folder": "", "state": "present", "parent_mode": "0711",
        "allow_everyone": False, "exports": list(items), **changes,
    }  # fmt: skip
    return spec.wanted(params, USERS.__getitem__, USERS.__getitem__)


def test_an_export_and_its_folders() -> None:
    found = wanted(item(quota="5Gi", squash="all", directories=[sub("data"), sub("x/y", owner="0", mode="0755")]))
    export = found.exports[0]
    assert (export.path, export.clients, export.quota) == ("/bitnami/c/minio", ("10.0.0.0/24",), 5 << 30)
    assert export.rules == Rules("rw", "all", 1000, 1000, True, True, ())
    assert found.folders == (
        Folder("c", 0, 0, 0o711),
        Folder("c/minio", 1000, 1000, 0o700),
        Folder("c/minio/data", 1000, 1000, 0o700),
        Folder("c/minio/x", 0, 0, 0o711),
        Folder("c/minio/x/y", 0, 1000, 0o755),
    )


def test_users_by_name() -> None:
    folder = wanted(item(owner="minio", group="root")).folders[-1]
    assert (folder.uid, folder.gid) == (1000, 0)


@pytest.mark.parametrize(
    ("squash", "uid", "anonuid"),
    [("all", "1000", 1000), ("all", "0", 65534), ("root", "1000", 65534), ("none", "7", 65534)],
)
def test_squashed_users_become_the_owner_but_never_root_unasked(squash: str, uid: str, anonuid: int) -> None:
    assert wanted(item(squash=squash, owner=uid)).exports[0].rules.anonuid == anonuid


def test_anonuid_may_be_given() -> None:
    rules = wanted(item(squash="all", anonuid=0, anongid=4294967294)).exports[0].rules
    assert (rules.anonuid, rules.anongid) == (0, 4294967294)


def test_options_in_the_words_of_exports() -> None:
    words = ["ro", "async", "insecure", "all_squash", "anonuid=7", "anongid=8", "sec=krb5:krb5i", "fsid=12"]
    assert wanted(item(options=words)).exports[0].rules == Rules(
        "ro", "all", 7, 8, False, False, ("fsid=12", "sec=krb5:krb5i")
    )


def test_options_and_types_agree_where_they_meet() -> None:
    assert wanted(item(options=["rw"], sync=False)).exports[0].rules.access == "rw"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "/abs"}, r"exports\[0\]\.path: '/abs' is absolute"),
        ({"path": "a/../b"}, r"exports\[0\]\.path: .*'\.\.'"),
        ({"path": ""}, r"exports\[0\]\.path: the path is empty"),
        ({"owner": "nobody-here"}, r"exports\[0\]\.owner: 'nobody-here' is neither a number nor a user"),
        ({"group": "-5"}, r"exports\[0\]\.group: '-5' is neither a number nor a group"),
        ({"owner": "²"}, r"exports\[0\]\.owner: '²' is neither a number nor a user"),
        ({"options": ["anonuid=²"]}, r"exports\[0\]\.options: 'anonuid=²' is not an option"),
        ({"options": ["fsid=\u0661"]}, r"exports\[0\]\.options: 'fsid=.' is not an option"),
        ({"options": ["mp=/a#b"]}, r"exports\[0\]\.options: 'mp=/a#b' is not an option"),
        ({"quota": "\u0662Gi"}, r"exports\[0\]\.quota: "),
        ({"owner": "4294967295"}, r"exports\[0\]\.owner: .* too large"),
        ({"anonuid": -2}, r"exports\[0\]\.anonuid: -2 is not an id"),
        ({"mode": "rwx"}, r"exports\[0\]\.mode: "),
        ({"clients": []}, r"exports\[0\]\.clients: the list is empty"),
        ({"clients": ["10.0.0.0/24 "]}, r"exports\[0\]\.clients\[0\]: .* holds a space"),
        ({"clients": ["10.0.0.1/24"]}, r"exports\[0\]\.clients\[0\]: .* host bits"),
        ({"clients": ["h", "h"]}, r"exports\[0\]\.clients: 'h' is there twice"),
        ({"clients": ["*"]}, r"exports\[0\]\.clients\[0\]: '\*' is everyone"),
        ({"options": ["rwx"]}, r"exports\[0\]\.options: 'rwx' is not an option"),
        ({"options": ["sec=weak"]}, r"exports\[0\]\.options: 'sec=weak' is not an option"),
        ({"options": ["anonuid=x"]}, r"exports\[0\]\.options: 'anonuid=x' is not an option"),
        ({"options": ["rw", "ro"]}, r"exports\[0\]\.options: 'ro' contradicts"),
        ({"options": ["rw"], "access": "rw"}, r"exports\[0\]\.options: 'access' is given in options and as"),
        ({"quota": "lots"}, r"exports\[0\]\.quota: "),
        ({"directories": [sub("../x")]}, r"exports\[0\]\.directories\[0\]\.path: "),
        ({"directories": [sub("x", mode="9")]}, r"exports\[0\]\.directories\[0\]\.mode: "),
        ({"directories": [sub("x", owner="who")]}, r"exports\[0\]\.directories\[0\]\.owner: "),
        (
            {"directories": [sub("x"), sub("x/")]},
            r"exports\[0\]\.directories\[1\]\.path: .* named by exports\[0\]\.dir",
        ),
    ],
)
def test_a_wrong_export_is_named(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(RefusedError, match="^" + message):
        wanted(item(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a/b"}, "name: "),
        ({"name": ".hidden"}, "name: "),
        ({"name": "x" * 64}, "name: "),
        ({"root": "bitnami"}, "root: 'bitnami' is not absolute"),
        ({"root": "/a/../b"}, "root: "),
        ({"root": "/"}, "root: '/' is the file system's root"),
        ({"folder": "other"}, r"exports\[0\]\.path: 'c/minio' is not in the folder 'other'"),
        ({"folder": "c/min"}, r"exports\[0\]\.path: "),
        ({"folder": "../x"}, "folder: "),
        ({"parent_mode": "x"}, "parent_mode: "),
    ],
)
def test_a_wrong_parameter_is_named(changes: dict[str, t.Any], message: str) -> None:
    with pytest.raises(RefusedError, match="^" + message):
        wanted(item(), **changes)


@pytest.mark.parametrize("exports", [None, []])
def test_an_empty_list_needs_state_absent(exports: list[t.Any] | None) -> None:
    with pytest.raises(RefusedError, match=r"^exports: the list is empty; .* state to absent"):
        wanted(exports=exports)
    assert wanted(exports=exports, state="absent").exports == ()


def test_duplicate_paths_are_refused() -> None:
    with pytest.raises(RefusedError, match=r"^exports\[1\]\.path: '/bitnami/c/minio' is the path of exports\[0\] too"):
        wanted(item(), item(path="c//minio/"))


@pytest.mark.parametrize(("first", "second"), [("c", "c/minio"), ("c/minio", "c")])
def test_one_in_the_other_with_other_squash_rules_is_refused(first: str, second: str) -> None:
    with pytest.raises(
        RefusedError, match=rf"^exports\[1\]\.path: '/bitnami/{second}' and exports\[0\] '/bitnami/{first}'"
    ):
        wanted(item(path=first, squash="all"), item(path=second, squash="root"))
    assert len(wanted(item(path=first), item(path=second, clients=["h"])).exports) == 2


def test_a_name_that_begins_alike_is_not_inside() -> None:
    assert len(wanted(item(path="c/minio", squash="all"), item(path="c/minio2")).exports) == 2


def test_the_mount_point_becomes_an_option_unless_one_is_given() -> None:
    plain, own = spec.on_mountpoint(wanted(item(), item(path="d", options=["mp=/x"])), "/bitnami/").exports
    assert plain.rules.others == ("mountpoint=/bitnami",)
    assert own.rules.others == ("mp=/x",)


@pytest.mark.parametrize("point", ["/with space", "/a,b", "/a#b", '/a"b', "/a(b)"])
def test_a_mount_point_that_no_option_can_hold_is_refused(point: str) -> None:
    with pytest.raises(RefusedError, match=r"^mountpoint: .* holds a blank, comma"):
        spec.on_mountpoint(wanted(item()), point)
