# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Headers, owners, overlaps and numbers."""

from __future__ import annotations

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import dropin
from ansible_collections.mlops.platform.plugins.module_utils._nfs.dropin import DropIn, Header
from ansible_collections.mlops.platform.plugins.module_utils._nfs.exports5 import Entry
from ansible_collections.mlops.platform.plugins.module_utils._nfs.spec import Export, Rules, Wanted
from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import RefusedError

ALL = Rules("rw", "all", 1000, 1000)
HEADER = Header(
    "prod01", "prod", "https://a:6443", "/bitnami", "deploy-Mlops-prod01", {"/bitnami/x": 7}, ("/bitnami/y",)
)


def other(path: str, rules: Rules = ALL, folder: str = "", root: str = "/bitnami") -> DropIn:
    header = Header("prod02", root=root, folder=folder)
    return DropIn("/etc/exports.d/prod02.exports", "", (Entry(path, "h", rules),), header)


def mine(path: str, folder: str = "") -> Wanted:
    return Wanted("prod01", "/bitnami", folder, (Export(path, ("h",), ALL, field="exports[0]"),), ())


def test_a_header_is_read_back() -> None:
    assert dropin.header_of(HEADER.render() + "/a h(rw)\n", "x") == HEADER
    assert all(line.startswith("#") for line in HEADER.render().splitlines())


def test_a_file_without_header_has_none() -> None:
    assert dropin.header_of("# hello\n/a h(rw)\n", "x") is None


@pytest.mark.parametrize("rest", ["", "{", "[]", '{"name": "a"}', '{"name": "a", "purging": [], "more": 1}'])
def test_a_broken_header_is_named(rest: str) -> None:
    with pytest.raises(RefusedError, match=r"^/etc/exports\.d/a\.exports: the header"):
        dropin.header_of(dropin.MARK + rest + "\n", "/etc/exports.d/a.exports")


def current(header: Header | None = HEADER) -> DropIn:
    return DropIn("/etc/exports.d/prod01.exports", "", (), header)


def test_the_same_cluster_may_go_on() -> None:
    dropin.check_owner(None, "prod01", "prod", "https://a:6443", None)
    dropin.check_owner(current(), "prod01", "prod", "https://a:6443", None)
    dropin.check_owner(current(), "prod01", "prod", "https://new:6443", "https://a:6443")


@pytest.mark.parametrize(
    ("environment", "identity", "previous"),
    [
        ("test", "https://a:6443", None),
        ("prod", "https://b:6443", None),
        ("prod", "https://b:6443", "https://c:6443"),
        ("prod", "", None),
    ],
)
def test_another_cluster_is_refused_with_both_identities(environment: str, identity: str, previous: str | None) -> None:
    with pytest.raises(
        RefusedError, match=rf"^name: .*'prod', identity 'https://a:6443'.*'{environment}', identity '{identity}'"
    ):
        dropin.check_owner(current(), "prod01", environment, identity, previous)


def test_a_file_of_somebody_else_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"^name: /etc/exports\.d/prod01\.exports was not made by this module"):
        dropin.check_owner(current(None), "prod01", "prod", "x", None)


def test_the_same_path_in_two_files_is_refused_with_both_names() -> None:
    with pytest.raises(
        RefusedError, match=r"^exports\[0\]\.path: '/bitnami/a' of 'prod01' is exported by 'prod02' \(/etc/exports.d"
    ):
        dropin.check_overlaps(mine("/bitnami/a"), [other("/bitnami/a")])


def test_a_path_of_a_file_without_header_counts_too() -> None:
    foreign = DropIn("/etc/exports", "", (Entry("/bitnami/a", "*", ALL),))
    with pytest.raises(RefusedError, match=r"exported by /etc/exports too"):
        dropin.check_overlaps(mine("/bitnami/a"), [foreign])


@pytest.mark.parametrize(("path", "theirs"), [("/bitnami/a", "/bitnami/a/b"), ("/bitnami/a/b", "/bitnami/a")])
def test_one_in_the_other_needs_the_same_squash_rules(path: str, theirs: str) -> None:
    dropin.check_overlaps(mine(path), [other(theirs)])
    with pytest.raises(RefusedError, match=rf"^exports\[0\]\.path: '{path}' of 'prod01' and '{theirs}' of 'prod02'"):
        dropin.check_overlaps(mine(path), [other(theirs, Rules("rw", "all", 999, 999))])


@pytest.mark.parametrize("folder", ["c", "c/inner", "."])
def test_two_clusters_with_one_folder_are_refused(folder: str) -> None:
    theirs = other("/bitnami/c/redis", folder="c") if folder != "." else other("/x", folder="bitnami", root="")
    with pytest.raises(
        RefusedError, match=r"^folder: '/bitnami/c.*' of 'prod01' and '/bitnami.*' of 'prod02' .* overlap"
    ):
        dropin.check_overlaps(mine("/bitnami/c/minio", "c" if folder == "." else folder), [theirs])


def test_an_export_in_the_folder_of_another_name_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"^exports\[0\]\.path: '/bitnami/c/minio' of 'prod01' lies in '/bitnami/c'"):
        dropin.check_overlaps(mine("/bitnami/c/minio"), [other("/bitnami/c/redis", folder="c")])


def test_an_export_of_another_name_in_the_own_folder_is_refused() -> None:
    with pytest.raises(
        RefusedError, match=r"^folder: '/bitnami/c/redis' of 'prod02' .* lies in '/bitnami/c', the folder"
    ):
        dropin.check_overlaps(mine("/bitnami/c/minio", "c"), [other("/bitnami/c/redis")])


def test_folders_side_by_side_are_fine() -> None:
    dropin.check_overlaps(mine("/bitnami/c1/minio", "c1"), [other("/bitnami/c12/minio", folder="c12")])


def test_numbers_stay_and_are_unique() -> None:
    first = dropin.numbers(["/a", "/b"], {}, set(), (10, 1000))
    assert dropin.numbers(["/b", "/a"], {}, set(), (10, 1000)) == first
    assert dropin.numbers(["/a", "/b", "/c"], {"/a": 5}, set(), (10, 1000))["/a"] == 5
    moved = dropin.numbers(["/a"], {}, set(first.values()), (10, 1000))
    assert moved["/a"] not in first.values()
    many = dropin.numbers([f"/{n}" for n in range(80)], {}, range(10, 20), (10, 100))
    assert sorted(many.values()) == list(range(20, 100))


def test_no_number_left() -> None:
    with pytest.raises(RefusedError, match=r"^exports: no free number"):
        dropin.numbers(["/a"], {}, range(10, 20), (10, 20))
