# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans and results of the MinIO modules, and the way from a failure to a sentence."""

from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._minio import MinioError, NotThereError, connection
from ansible_collections.mlops.platform.plugins.module_utils._minio import bucket_settings as bucket
from ansible_collections.mlops.platform.plugins.module_utils._minio.run import Kind, Part, check, manage
from ansible_collections.mlops.platform.plugins.module_utils._plan import Change, merged, plan, result

minio_error = pytest.importorskip("minio.error")
lifecycle = pytest.importorskip("minio.lifecycleconfig")
common = pytest.importorskip("minio.commonconfig")


def test_what_is_not_given_is_left() -> None:
    assert merged({"quota": 5, "versioning": True}, {"quota": 7, "versioning": None}) == {
        "quota": 7,
        "versioning": True,
    }
    assert merged(None, {"quota": 7, "versioning": None}) == {"quota": 7}
    assert merged({"quota": 5}, None) is None


def test_a_plan_names_only_what_differs() -> None:
    current = {"same": {"a": 1}, "other": {"a": 1}, "old": {"a": 1}}
    wanted = {"same": {"a": 1}, "other": {"a": 2}, "old": None, "new": {"a": 3}, "never": None}
    changes = plan(current, wanted)
    assert [(change.name, change.kind) for change in changes] == [
        ("other", "configured"),
        ("old", "removed"),
        ("new", "created"),
    ]
    done = result(changes)
    assert done["changed"]
    assert (done["created"], done["configured"], done["removed"]) == (["new"], ["other"], ["old"])
    assert done["diff"] == {
        "before": {"other": {"a": 1}, "old": {"a": 1}},
        "after": {"other": {"a": 2}, "new": {"a": 3}},
    }
    assert not result([])["changed"]


class Recorder:
    """A kind that remembers what was applied, in place of a server; it stands for faults only."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault, self.applied = fault, t.cast("list[str]", [])

    def read(self, *_: t.Any) -> dict[str, t.Any]:
        if self.fault:
            raise self.fault
        return {}

    def manage(self, check_mode: bool) -> dict[str, t.Any]:
        def apply(_clients: t.Any, _params: t.Any, change: Change) -> None:
            self.applied.append(change.name)

        kind = Kind(lambda _params: {"x": {"a": 1}}, self.read, lambda *_: None, apply)
        params = {"endpoint": "x:1", "namespace": None, "access_key": "a", "secret_key": "b", "login_secret": None}
        return manage(
            params, check_mode, [Part(kind, {})], lambda _params: contextlib.nullcontext(t.cast("t.Any", None))
        )


def test_check_mode_applies_nothing() -> None:
    recorder = Recorder()
    planned = recorder.manage(check_mode=True)
    assert (planned["created"], planned["not_verified"], recorder.applied) == (["x"], [], [])
    done = recorder.manage(check_mode=False)
    assert recorder.applied == ["x"]
    assert done["diff"] == planned["diff"]


@pytest.mark.parametrize(
    "fault", [NotThereError("no server"), connection.RefusedError("SignatureDoesNotMatch", "new password")]
)
def test_a_server_that_may_yet_come_is_planned_and_not_verified(fault: Exception) -> None:
    planned = Recorder(fault).manage(check_mode=True)
    assert planned["created"] == planned["not_verified"] == ["x"]
    with pytest.raises(MinioError):
        Recorder(fault).manage(check_mode=False)


def test_a_refusal_fails_in_check_mode_too() -> None:
    with pytest.raises(MinioError, match=r"MinIO: too much \(SlowDown\)"):
        Recorder(connection.RefusedError("SlowDown", "too much")).manage(check_mode=True)


def test_errors_of_the_administration_keep_the_servers_words() -> None:
    def fail(body: str) -> None:
        raise minio_error.MinioAdminException("400", body)

    with pytest.raises(connection.RefusedError, match=r"^MinIO: in use \(XMinioIAMPolicyInUse\)$"):
        connection.call(fail, '{"Code": "XMinioIAMPolicyInUse", "Message": "in use", "HostId": "0123"}')
    with pytest.raises(connection.RefusedError, match=r"^MinIO: <html> \(400\)$"):
        connection.call(fail, "<html>")
    assert connection.maybe(fail, '{"Code": "XMinioAdminNoSuchUser", "Message": "no such user"}') is None


@pytest.mark.parametrize(
    ("endpoint", "host", "secure"),
    [
        ("http://127.0.0.1:9000", "127.0.0.1:9000", False),
        ("https://s3.example.com/", "s3.example.com", True),
        ("minio:9000", "minio:9000", False),
    ],
)
def test_endpoints(endpoint: str, host: str, secure: bool) -> None:
    assert connection.address(endpoint) == (host, secure, True)


@pytest.mark.parametrize("endpoint", ["ftp://x", "http://", "https://x/bucket", ""])
def test_endpoints_that_are_none(endpoint: str) -> None:
    with pytest.raises(MinioError, match=r"endpoint: .*write http://host:port"):
        connection.address(endpoint)


RULE = {"id": "a", "enabled": True, "prefix": "p/", "expire_delete_markers": False}


@pytest.mark.parametrize(
    "row",
    [
        {**RULE, "expire_days": 7},
        {**RULE, "noncurrent_days": 3, "noncurrent_keep": 2, "enabled": False},
        {**RULE, "expire_delete_markers": True, "prefix": ""},
    ],
)
def test_lifecycle_rules_survive_the_way_to_the_client_and_back(row: dict[str, t.Any]) -> None:
    assert bucket.rule_row(bucket.client_rule(row)) == row


def test_a_rule_with_more_than_the_module_knows_differs() -> None:
    foreign = lifecycle.Rule(
        "Enabled", common.Filter(tag=common.Tag("k", "v")), "a", expiration=lifecycle.Expiration(days=7)
    )
    assert "others" in bucket.rule_row(foreign)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([RULE], r"lifecycle\[0\]: it does nothing"),
        ([{**RULE, "expire_days": 0}], r"lifecycle\[0\].expire_days: 0 is not above 0"),
        ([{**RULE, "expire_days": 1, "expire_delete_markers": True}], r"expire_days removes the marks too"),
        ([{**RULE, "expire_days": 1}] * 2, "'a' is given twice"),
    ],
)
def test_lifecycle_rules_that_make_no_sense(rules: list[dict[str, t.Any]], message: str) -> None:
    with pytest.raises(MinioError, match=message):
        bucket.rules(rules, "lifecycle")


@pytest.mark.parametrize("value", [{"mode": "governance"}, {"days": 3}, {"mode": "compliance", "days": 0}])
def test_retentions_that_are_not_complete(value: dict[str, t.Any]) -> None:
    with pytest.raises(MinioError, match="give mode, and either days or years"):
        bucket.retention(value, "retention")


def test_retentions() -> None:
    assert bucket.retention({"mode": "governance", "days": 3, "years": None}, "r") == {"mode": "governance", "days": 3}
    assert bucket.retention({"mode": None, "days": None, "years": None}, "r") == {}
    assert bucket.retention(None, "r") is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"endpoint": None}, "namespace: it is missing"),
        ({"login_secret": "minio", "secret_key": None, "access_key": None}, "namespace: it is missing"),
        ({"secret_key": None}, "give either access_key and secret_key, or login_secret"),
        ({"secret_key": None, "access_key": None}, "give either access_key and secret_key, or login_secret"),
        ({"namespace": "n", "login_secret": "minio"}, "give either access_key and secret_key, or login_secret"),
    ],
)
def test_who_signs_in_and_where_must_be_clear(changed: dict[str, t.Any], message: str) -> None:
    params = {"endpoint": "x:1", "namespace": None, "access_key": "a", "secret_key": "b", "login_secret": None}
    with pytest.raises(MinioError, match=message):
        check({**params, **changed})
