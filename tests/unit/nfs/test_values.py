# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Small values: sizes, paths, modes, clients."""

from __future__ import annotations

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._nfs import values
from ansible_collections.mlops.platform.plugins.module_utils._nfs.values import RefusedError


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 0), (None, 0), ("0", 0), ("1024", 1024), ("1K", 1000), ("1Ki", 1024), ("20Gi", 20 << 30), ("3T", 3 * 10**12)],
)
def test_size(text: str | None, number: int) -> None:
    assert values.size(text, "quota") == number


@pytest.mark.parametrize("text", ["-1", "1.5Gi", "20GB", "many", "Gi", "1 Gi"])
def test_size_refused(text: str) -> None:
    with pytest.raises(RefusedError, match=r"^exports\[0\]\.quota: "):
        values.size(text, "exports[0].quota")


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (1500, "1500"), (1024, "1Ki"), (20 << 30, "20Gi"), (3 << 40, "3Ti")]
)
def test_human(number: int, text: str) -> None:
    assert values.human(number) == text
    assert values.size(text, "quota") == number


@pytest.mark.parametrize(
    ("given", "clean"), [("/bitnami", "/bitnami"), ("/a//b/", "/a/b"), ("/with space", "/with space")]
)
def test_absolute_path(given: str, clean: str) -> None:
    assert values.absolute_path(given, "root") == clean


@pytest.mark.parametrize("given", ["", "bitnami", "./x", "/", "//", "/a/../b", "/a/./b", "/a\nb", "/a\x7f"])
def test_absolute_path_refused(given: str) -> None:
    with pytest.raises(RefusedError, match=r"^root: "):
        values.absolute_path(given, "root")


@pytest.mark.parametrize("given", ["", "/", "/abs", "..", "a/../b", ".", "a/.", "a\tb"])
def test_relative_path_refused(given: str) -> None:
    with pytest.raises(RefusedError, match=r"^path: "):
        values.relative_path(given, "path")


def test_relative_path() -> None:
    assert values.relative_path("a//b/", "path") == "a/b"


@pytest.mark.parametrize(("given", "bits"), [("0711", 0o711), ("750", 0o750), ("2770", 0o2770), ("02770", 0o2770)])
def test_mode(given: str, bits: int) -> None:
    assert values.mode(given, "mode") == bits


@pytest.mark.parametrize("given", ["", "rwx", "0899", "7", "077777", "0o711", "u=rwx"])
def test_mode_refused(given: str) -> None:
    with pytest.raises(RefusedError, match=r"^mode: "):
        values.mode(given, "mode")


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("10.0.0.7/32", "10.0.0.7"),
        ("10.0.0.0/24", "10.0.0.0/24"),
        ("10.0.0.0/255.255.255.0", "10.0.0.0/24"),
        ("2001:DB8::/64", "2001:db8::/64"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("node1.example.com", "node1.example.com"),
        ("*.example.com", "*.example.com"),
        ("node?", "node?"),
        ("@nodes", "@nodes"),
    ],
)
def test_client(given: str, clean: str) -> None:
    assert values.client(given, "clients") == clean


@pytest.mark.parametrize(
    "given",
    [
        "", " ", "10.0.0.7 ", " 10.0.0.7", "a b", "10.0.0.0/24 (rw)", "10.0.0.1/24", "10.0.0.300", "10.0.0",
        "10.0.0.0/33", "2001:db8::1/64", "fe80::1%eth0", "host(rw)", "host,other", "a..b", "-host", "#host", '"host"',
    ],
)  # fmt: skip
def test_client_refused(given: str) -> None:
    with pytest.raises(RefusedError, match=r"^exports\[1\]\.clients\[0\]: "):
        values.client(given, "exports[1].clients[0]")


def test_client_with_host_bits_names_both_remedies() -> None:
    with pytest.raises(RefusedError, match=r"write 10\.0\.0\.0/24 or, for one host, 10\.0\.0\.9"):
        values.client("10.0.0.9/24", "clients")


@pytest.mark.parametrize(
    "given", ["*", "**", "*.*", "?*", "0.0.0.0/0", "::/0", "::ffff:0:0/96", "::ffff:0.0.0.0/96", "::/80"]
)
def test_everyone_only_in_as_many_words(given: str) -> None:
    with pytest.raises(RefusedError, match="allow_everyone"):
        values.client(given, "clients")
    assert values.client(given, "clients", everyone=True)


@pytest.mark.parametrize("given", ["*.example.com", "::ffff:10.0.0.0/104", "::1", "0.0.0.0/1", "n?"])
def test_some_are_not_everyone(given: str) -> None:
    assert values.client(given, "clients")
