"""What the client and the engine do when the API server fails."""

from __future__ import annotations

import datetime
import json
import socket
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._kube import options, retry
from ansible_collections.mlops.platform.plugins.module_utils._kube import watch as watch_module
from ansible_collections.mlops.platform.plugins.module_utils._kube.client import Client
from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import Connection
from ansible_collections.mlops.platform.plugins.module_utils._kube.documents import Document
from ansible_collections.mlops.platform.plugins.module_utils._kube.engine import Engine, Outcome
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import ApiError, KubeError, UnreachableError
from ansible_collections.mlops.platform.plugins.module_utils._kube.mask import Mask
from ansible_collections.mlops.platform.plugins.module_utils._kube.package import kinds_of
from ansible_collections.mlops.platform.plugins.module_utils._kube.wait import NotReadyError
from ansible_collections.mlops.platform.plugins.module_utils._kube.watch import Follower, Watch

from .fake_api import Fault, Server

Object = dict[str, t.Any]
PATH = "/api/v1/namespaces/ns/configmaps/conf"
DEPLOYMENTS = "/apis/apps/v1/namespaces/ns/deployments"
CONF: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"a": "1"}}
MORE: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}, "data": {"b": "2"}}
WEB: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 1}}
WEBHOOK = 'Internal error occurred: failed calling webhook "check.example.com": connection refused'
PASSING: dict[str, Fault] = {
    "reset": Fault("reset"),
    "answer cut off": Fault("cut"),
    "answer lost": Fault("reset", after=True),
    "not JSON": Fault("garbage"),
    "429": Fault("status", status=429, headers={"Retry-After": "0"}),
    "502": Fault("status", status=502),
    "503 with a time": Fault("status", status=503, headers={"Retry-After": "0"}),
    "504": Fault("status", status=504),
    "leader changed": Fault("status", status=500, body={"message": "etcdserver: leader changed"}),
    "conflict": Fault("status", status=409, body={"reason": "Conflict", "message": "try again"}),
}


def engine(client: Client, **given: t.Any) -> Engine:
    set_id = options.set_id("ns", "demo")
    chosen = options.Options(set_id=set_id, **{"wait": False, "wait_timeout": 5, **given})
    return Engine(client, chosen, Mask(), lambda text: None)


def present(client: Client, *objects: Object, **given: t.Any) -> Outcome:
    return engine(client, **given).present([Document(json.loads(json.dumps(obj)), "test") for obj in objects])


def armed(fault: Fault, pattern: str, times: int = 1) -> Fault:
    return Fault(fault.kind, pattern, times, fault.status, fault.body, fault.headers, fault.seconds, fault.after)


@pytest.mark.parametrize("case", PASSING)
@pytest.mark.parametrize(
    "pattern", ["^GET .*labelSelector", "^GET .*/kube-set-demo", "^PATCH .*dryRun", "^PATCH (?!.*dryRun)"]
)
def test_a_fault_that_passes_is_waited_out(server: Server, client: Client, case: str, pattern: str) -> None:
    server.faults = [armed(PASSING[case], pattern, times=2)]
    assert present(client, CONF, MORE).result()["created"] == ["ConfigMap ns/conf", "ConfigMap ns/more"]
    assert server.faults[0].times == 0, "the fault was not met"
    assert not present(client, CONF, MORE).result()["changed"]
    assert server.store.objects[PATH]["data"] == {"a": "1"}


@pytest.mark.parametrize("case", [case for case in PASSING if case != "conflict"])
def test_a_fault_while_removing(server: Server, client: Client, case: str) -> None:
    present(client, CONF, MORE)
    server.faults = [armed(PASSING[case], "^DELETE .*/more")]
    present(client, CONF)
    assert server.faults[0].times == 0
    assert "/api/v1/namespaces/ns/configmaps/more" not in server.store.objects


REALLY = "(?!.*dryRun)"
CANNOT_DELETE = {"message": 'forbidden: User "ana" cannot delete resource "configmaps" in API group "" in ns'}


def test_a_removal_that_is_not_allowed_is_part_of_the_plan(server: Server, client: Client) -> None:
    present(client, CONF, MORE)
    server.faults = [Fault("status", "^DELETE", 99, 403, CANNOT_DELETE)]
    for given in ({}, {"check_mode": True}):
        with pytest.raises(
            KubeError, match="more: it cannot be removed: missing permission: user ana may not delete"
        ) as caught:
            present(client, {**CONF, "data": {"a": "2"}}, **given)
        assert "cannot be applied, and nothing was changed" in str(caught.value)
        with pytest.raises(KubeError, match="the set demo cannot be removed, and nothing was changed"):
            engine(client, state="absent", **given).absent()
    assert server.store.objects[PATH]["data"] == {"a": "1"}


def test_what_was_removed_before_a_fault_is_told(server: Server, client: Client) -> None:
    present(client, CONF, MORE)
    server.faults = [Fault("status", f"^DELETE {REALLY}.*more", 99, 403, CANNOT_DELETE)]
    run = engine(client, state="absent")
    with pytest.raises(KubeError, match="ConfigMap ns/more: missing permission"):
        run.absent()
    assert run.done
    assert run.done.result()["pruned"] == ["ConfigMap ns/conf"]
    assert run.done.result()["changed"]


REPLACEABLE: Object = {
    **CONF,
    "metadata": {"name": "conf", "annotations": {"mlops.platform/replace": "true"}},
    "data": {"a": "2"},
}
FIXED = Fault("status", "^PATCH .*/conf[?].*dryRun", 1, 422, {"message": "data: field is immutable"})


def test_a_replacement_whose_new_object_is_refused_counts_as_removed(server: Server, client: Client) -> None:
    present(client, CONF)
    server.faults = [armed(FIXED, FIXED.pattern), Fault("status", f"^PATCH {REALLY}", 99, 422, {"message": "no"})]
    run = engine(client)
    with pytest.raises(KubeError, match="not all objects could be applied"):
        run.present([Document(json.loads(json.dumps(REPLACEABLE)), "test")])
    assert run.done
    assert (run.done.result()["pruned"], run.done.result()["replaced"]) == (["ConfigMap ns/conf"], [])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            Fault("status", "^PATCH .*/conf-.*dryRun", 9, 422, {"message": "data: too long"}),
            "refuses the new one: data",
        ),
        (Fault("status", "^DELETE .*dryRun", 9, 403, CANNOT_DELETE), "may not delete configmaps"),
    ],
)
def test_a_replacement_that_cannot_be_is_refused_before(
    server: Server, client: Client, fault: Fault, message: str
) -> None:
    present(client, CONF)
    server.faults = [armed(FIXED, FIXED.pattern), armed(fault, fault.pattern)]
    with pytest.raises(KubeError, match=message) as caught:
        present(client, REPLACEABLE)
    assert "nothing was changed" in str(caught.value)
    assert server.store.objects[PATH]["data"] == {"a": "1"}


@pytest.mark.parametrize("case", ["reset", "answer cut off", "answer lost", "503 with a time", "429"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_fault_while_the_inventory_is_written(server: Server, client: Client, case: str, method: str) -> None:
    server.faults = [armed(PASSING[case], f"^{method} ")]
    present(client, CONF)
    assert server.faults[0].times == 0
    assert '"conf"' in server.store.objects["/api/v1/namespaces/ns/configmaps/kube-set-demo"]["data"]["objects"]


def test_a_retry_after_is_kept(server: Server, client: Client) -> None:
    server.faults = [Fault("status", "labelSelector", status=429, headers={"Retry-After": "1"})]
    started = time.monotonic()
    present(client, CONF)
    assert time.monotonic() - started >= 1


def test_a_server_that_is_away_for_a_while(server: Server, client: Client) -> None:
    present(client, CONF)
    server.faults = [Fault("reset", times=12)]
    assert present(client, CONF, MORE).result()["created"] == ["ConfigMap ns/more"]


def test_an_answer_that_takes_too_long(server: Server, client: Client) -> None:
    client.transport.timeout = 0.2
    server.faults = [Fault("slow", "^GET .*/kube-set-demo", seconds=5)]
    present(client, CONF)
    assert server.faults[0].times == 0


def test_a_webhook_that_is_not_ready_yet(server: Server, client: Client) -> None:
    """The dry run does not wait for it, the real request does."""
    server.faults = [Fault("status", "^PATCH .*more", 4, 500, {"message": WEBHOOK})]
    present(client, CONF, MORE)
    asked = [request for request in server.seen if request.startswith("PATCH") and "more" in request]
    assert ["dryRun" in request for request in asked] == [True, False, False, False, False]


def test_check_mode_does_not_wait_for_a_webhook(server: Server, client: Client) -> None:
    server.faults = [Fault("status", "^PATCH .*more", 99, 500, {"message": WEBHOOK})]
    result = present(client, CONF, MORE, check_mode=True).result()
    assert result["not_verified"] == ["ConfigMap ns/more"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            Fault("status", "^PATCH", 99, 500, {"message": "failed to create typed patch object: .x: no such field"}),
            "no such field",
        ),
        (Fault("status", "^PATCH", 99, 422, {"reason": "Invalid", "message": "data: Invalid value"}), "Invalid value"),
        (Fault("status", "^PATCH", 99, 400, {"message": "strict decoding error"}), "strict decoding error"),
        (
            Fault(
                "status",
                "^PATCH",
                99,
                403,
                {"message": 'forbidden: User "ana" cannot patch resource "configmaps" in API group "" in ns'},
            ),
            "missing permission: user ana may not patch configmaps",
        ),
    ],
)
def test_a_final_refusal_is_not_repeated(server: Server, client: Client, fault: Fault, message: str) -> None:
    present(client, MORE)
    server.faults, server.seen = [fault], []
    with pytest.raises(KubeError, match=message) as caught:
        present(client, CONF, MORE)
    assert "nothing was changed" in str(caught.value)
    assert len([request for request in server.seen if request.startswith("PATCH")]) == 1


def test_all_missing_permissions_to_read_are_named(server: Server, client: Client) -> None:
    for kind in ("secrets", "deployments"):
        said = f'{kind} is forbidden: User "ana" cannot list resource "{kind}" in API group "" in the namespace "ns"'
        server.faults.append(Fault("status", f"^GET .*{kind}", 99, 403, {"message": said}))
    with pytest.raises(KubeError) as caught:
        present(client, {**CONF, "kind": "Secret", "data": {}}, CONF, WEB)
    for kind in ("secrets", "deployments"):
        assert str(caught.value).count(f"missing permission: user ana may not list {kind}") == 1
    assert PATH not in server.store.objects


def test_without_the_right_to_list_everywhere_each_namespace_is_listed(server: Server, client: Client) -> None:
    server.faults = [Fault("status", r"^GET /api/v1/configmaps\?", 99, 403, {"message": "forbidden"})]
    objects = [{**CONF, "metadata": {"name": "conf", "namespace": name}} for name in ("ns", "two", "three")]
    assert len(present(client, *objects).result()["created"]) == 3
    assert not present(client, *objects).result()["changed"]


def test_a_forbidden_answer_after_a_restart_is_asked_again(server: Server, client: Client) -> None:
    """A server that has just started knows no roles yet."""
    present(client, CONF)
    server.faults = [Fault("reset", times=1), Fault("status", times=2, status=403, body={"message": "RBAC: not yet"})]
    assert client.get(PATH)["data"] == CONF["data"]


def test_refused_credentials(server: Server, client: Client) -> None:
    server.faults = [Fault("status", times=99, status=401, body={"message": "Unauthorized"})]
    with pytest.raises(
        KubeError, match=r"refuses the credentials \(401\): the token is wrong, expired or of another cluster"
    ):
        present(client, CONF)
    assert PATH not in server.store.objects


def test_new_credentials_after_a_401(server: Server) -> None:
    fresh = Connection(server.url, token="new")
    with Client(Connection(server.url, token="old", refresh=lambda: fresh)) as made:
        server.faults = [Fault("status", times=1, status=401)]
        present(made, CONF)
        assert made.transport.connection.token == "new"


def test_new_credentials_are_had_once_for_all_threads(server: Server) -> None:
    asked = []

    def refresh() -> Connection:
        asked.append(1)
        return Connection(server.url, token="new", refresh=refresh)

    with Client(Connection(server.url, token="old", refresh=refresh), workers=8) as made:
        old = made.transport
        with old.lease():
            refused = ApiError(401, {})
            assert made.each(lambda _number: made.renewed(refused, old), range(8)) == [True] * 8
        assert len(asked) == 1
        assert old.free.empty(), "a connection with the old credentials was kept"
        assert made.renewed(refused, made.transport)
        assert len(asked) == 2
        assert made.get("/version")["major"] == "1"


def test_a_token_file_that_vanished(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a-token\n")
    with Client(Connection(server.url, token_file=str(path))) as made:
        assert made.headers()["Authorization"] == "Bearer a-token"
        path.unlink()
        with pytest.raises(KubeError, match=f"tokenFile {path} cannot be read: .*No such file"):
            made.get("/version")


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_CONTACT", 0.2)
    url = f"http://127.0.0.1:{unused_port()}"
    with Client(Connection(url, token="t")) as made, pytest.raises(UnreachableError) as caught:
        present(made, CONF)
    assert f"{url} cannot be reached" in str(caught.value)


def test_a_server_that_goes_away_for_good(server: Server, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    present(client, CONF)
    monkeypatch.setattr(retry, "OUTAGE", 0.5)
    server.faults = [Fault("reset", times=10**6)]
    with pytest.raises(UnreachableError, match="cannot be reached"):
        present(client, CONF)


@pytest.fixture
def watch(client: Client) -> t.Iterator[Watch]:
    with Watch(client) as opened:
        opened.follow("maps", "/api/v1/namespaces/ns/configmaps", {})
        yield opened


def until(watch: Watch, name: str, value: str) -> list[str]:
    """Read events until an object has a value; the types of the events."""
    types = []
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        event = watch.next(0.1)
        if event is None:
            continue
        types.append(event.type)
        items = event.object.get("items", [event.object]) if event.type == "LISTED" else [event.object]
        if any(item["metadata"]["name"] == name and item["data"] == {"a": value} for item in items):
            return types
    raise AssertionError(f"{name} never had the value {value}: {types}")


def change(server: Server, value: str) -> None:
    body = {**json.loads(json.dumps(CONF)), "data": {"a": value}}
    server.store.save(PATH, body, "MODIFIED" if PATH in server.store.objects else "ADDED")


def gone(server: Server, status: Object) -> None:
    server.tell("/api/v1/namespaces/ns/configmaps", status)


BROKEN: dict[str, t.Callable[[Server], None]] = {
    "closed": lambda server: gone(server, {"fault": "close"}),
    "cut in the middle": lambda server: gone(server, {"fault": "cut", "type": "MODIFIED", "object": CONF}),
    "410": lambda server: gone(
        server, {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
    ),
    "500": lambda server: gone(server, {"type": "ERROR", "object": {"kind": "Status", "code": 500}}),
    "not JSON": lambda server: gone(server, {"fault": "garbage"}),
    "no event": lambda server: gone(server, {"type": "MODIFIED", "object": {}}),
    "closed, then 401 and 403 as after a restart": lambda server: (
        server.faults.append(Fault("status", "watch=true", 2, 401)),
        server.faults.append(Fault("status", "watch=true", 2, 403)),
        gone(server, {"fault": "close"}),
    )[2],
    "closed, then 410": lambda server: (
        server.faults.append(Fault("status", "watch=true", 1, 410, {"reason": "Expired"})),
        gone(server, {"fault": "close"}),
    )[1],
    "closed, then refused for a while": lambda server: (
        server.faults.append(Fault("reset", "watch=true", 3)),
        gone(server, {"fault": "close"}),
    )[1],
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_watch_misses_nothing(server: Server, watch: Watch, case: str) -> None:
    change(server, "1")
    until(watch, "conf", "1")
    change(server, "2")
    until(watch, "conf", "2")
    BROKEN[case](server)
    change(server, "3")
    types = until(watch, "conf", "3")
    if "410" in case:
        assert "LISTED" in types, "after 410 the objects are listed anew"


def test_a_watch_without_permission_says_so(server: Server, client: Client) -> None:
    server.faults = [Fault("status", "secrets", 99, 403, {"message": "forbidden"})]
    with Watch(client) as opened:
        opened.follow("secrets", "/api/v1/namespaces/ns/secrets", {})
        event = opened.next(5)
    assert event is not None
    assert event.type == "FAILED"
    assert isinstance(event.object, ApiError)


def test_who_may_list_but_not_watch_is_told_at_once(server: Server, client: Client) -> None:
    server.faults = [Fault("status", "watch=true", 99, 403, {"message": "forbidden"})]
    with Watch(client) as opened:
        opened.follow("maps", "/api/v1/namespaces/ns/configmaps", {})
        events = [opened.next(5), opened.next(5)]
    assert [event and event.type for event in events] == ["LISTED", "FAILED"]
    assert server.faults[0].times == 98


def answer(status: int, retry_after: float | None = None) -> ApiError:
    return ApiError(status, {"message": "x"}, retry_after)


@pytest.mark.parametrize(
    ("error", "worked", "recently_down", "expected", "version"),
    [
        (answer(429, 7), True, False, 7.0, "5"),
        (answer(503, 99), True, False, 30.0, ""),
        (answer(410), True, False, retry.pause(0), ""),
        (answer(401), False, False, retry.pause(0), "5"),
        (answer(403), True, False, retry.pause(0), "5"),
        (answer(403), False, True, retry.pause(0), "5"),
        (answer(403), False, False, None, "5"),
        (answer(404), True, False, None, "5"),
        (ConnectionResetError(), True, False, retry.pause(0), "5"),
    ],
)
def test_when_a_watch_is_opened_again(
    error: Exception, worked: bool, recently_down: bool, expected: float | None, version: str
) -> None:
    follower = Follower()
    follower.version, follower.worked = "5", worked
    assert follower.delay(error, 0.0, recently_down) == expected
    assert follower.version == version


def test_a_refusal_that_lasts_ends_a_watch() -> None:
    follower = Follower()
    follower.well()
    assert follower.delay(answer(403), 0.0, False) is not None
    assert follower.delay(answer(403), 9.0, False) is not None
    assert follower.delay(answer(403), 11.0, False) is None


def test_a_watch_gets_new_credentials(server: Server) -> None:
    fresh = Connection(server.url, token="new")
    with Client(Connection(server.url, token="old", refresh=lambda: fresh)) as made, Watch(made) as opened:
        server.faults = [Fault("status", "watch=true", 1, 401)]
        opened.follow("maps", "/api/v1/namespaces/ns/configmaps", {})
        change(server, "1")
        until(opened, "conf", "1")
        change(server, "2")
        until(opened, "conf", "2")
        assert made.transport.connection.token == "new"


def test_a_watch_does_not_ask_for_credentials_for_ever(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "REFUSED_WITHIN", 0.5)
    asked = []

    def refresh() -> Connection:
        asked.append(1)
        return Connection(server.url, token="wrong too", refresh=refresh)

    server.faults = [Fault("status", "watch=true", 10**6, 401)]
    with Client(Connection(server.url, token="wrong", refresh=refresh)) as made, Watch(made) as opened:
        opened.follow("maps", "/api/v1/namespaces/ns/configmaps", {})
        events = [opened.next(5), opened.next(5)]
    assert [event and event.type for event in events] == ["LISTED", "FAILED"]
    assert "refuses the credentials (401)" in str(events[1] and events[1].object)
    assert len(asked) == 1


def test_leaving_a_watch_ends_its_threads(client: Client) -> None:
    with Watch(client) as opened:
        opened.follow("maps", "/api/v1/namespaces/ns/configmaps", {})
        assert opened.next(5)
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("watch ")]
        assert threads
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def ready(server: Server) -> None:
    path = f"{DEPLOYMENTS}/web"
    obj = json.loads(json.dumps(server.store.objects[path]))
    obj["status"] = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    obj["spec"]["template"] = {"spec": {"containers": [{"name": "c", "readinessProbe": {}}]}}
    server.store.save(path, obj, "MODIFIED")


@pytest.mark.parametrize("case", ["closed", "410", "500"])
def test_a_wait_survives_a_broken_watch(server: Server, client: Client, case: str) -> None:
    def trouble() -> None:
        time.sleep(0.2)
        for prefix, _events in list(server.store.watchers):
            event = {"fault": "close"} if case == "closed" else {"type": "ERROR", "object": {"code": int(case)}}
            server.tell(prefix, dict(event))
        time.sleep(0.2)
        ready(server)

    thread = threading.Thread(target=trouble)
    thread.start()
    present(client, WEB, wait=True, wait_timeout=10)
    thread.join()


@pytest.mark.parametrize("code", [410, 500, 503])
def test_a_sick_pod_that_vanishes_while_the_watch_is_broken_ends_no_wait(
    server: Server, client: Client, code: int
) -> None:
    """Nobody tells of its end: the new list does not have it."""
    waiting = {"waiting": {"reason": "ImagePullBackOff"}}
    owner = {"kind": "StatefulSet", "name": "web", "controller": True}
    meta = {"name": "web-0", "namespace": "ns", "uid": "p", "labels": {"app": "web"}, "ownerReferences": [owner]}
    sick = {"metadata": meta, "status": {"containerStatuses": [{"name": "c", "state": waiting}]}}
    template = {"spec": {"containers": [{"name": "c", "readinessProbe": {}}]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    path = "/apis/apps/v1/namespaces/ns/statefulsets/web"
    server.store.save("/api/v1/namespaces/ns/pods/web-0", sick, "ADDED")

    def trouble() -> None:
        while not any(prefix.endswith("/pods") for prefix, _events in list(server.store.watchers)):
            time.sleep(0.05)
        server.store.objects.pop("/api/v1/namespaces/ns/pods/web-0")
        for prefix, _events in list(server.store.watchers):
            server.tell(prefix, {"type": "ERROR", "object": {"code": code}})
        time.sleep(2.5)
        well = {"observedGeneration": 1, "replicas": 1, "availableReplicas": 1}
        server.store.save(path, {**server.store.objects[path], "status": well}, "MODIFIED")

    thread = threading.Thread(target=trouble)
    thread.start()
    present(client, {**WEB, "kind": "StatefulSet", "spec": spec}, wait=True, wait_timeout=20, wait_grace=1.5)
    thread.join()


def test_a_wait_goes_on_without_the_right_to_see_pods(server: Server, client: Client) -> None:
    server.faults = [Fault("status", r"/(pods|events)\?", 99, 403, {"message": "forbidden"})]
    with pytest.raises(NotReadyError, match="Deployment ns/web: its controller has not seen it yet"):
        present(client, WEB, wait=True, wait_timeout=1)


def test_an_object_that_a_controller_writes_at_the_same_time(server: Server, client: Client) -> None:
    """Its write between the LIST and the dry run is not taken for a change of the set."""
    present(client, CONF)
    run = engine(client)
    planned = run.planned

    def disturbed(wanted: t.Any, live: t.Any, leaving: t.Any) -> t.Any:
        for obj in live.values():
            obj["metadata"]["managedFields"][0]["apiVersion"] = "v0"  # makes the dry run necessary
        stored = json.loads(json.dumps(server.store.objects[PATH]))
        stored["metadata"]["annotations"] = {"controller": "was here"}
        server.store.save(PATH, stored, "MODIFIED")
        return planned(wanted, live, leaving)

    run.planned = disturbed  # type: ignore[method-assign]
    assert run.present([Document(json.loads(json.dumps(CONF)), "test")]).result()["unchanged"] == ["ConfigMap ns/conf"]


def test_an_unchanged_set_costs_its_lists_and_one_get(server: Server, client: Client) -> None:
    """An object of a custom kind costs a look at its group more, and one without a status nothing more than that."""
    thing = {"apiVersion": "some.example/v1", "kind": "Thing", "metadata": {"name": "one"}}
    kinds = [{"name": name, "kind": "Thing", "namespaced": True} for name in ("things", "things/status")]
    server.store.objects["/apis/some.example/v1"] = {"metadata": {}, "resources": kinds}
    present(client, CONF, thing)
    server.seen = []
    assert len(present(client, CONF, thing, wait=True).result()["unchanged"]) == 2
    found = sorted(request.partition("?")[0] for request in server.seen)
    assert found == [
        "GET /api/v1/namespaces/ns/configmaps",
        "GET /api/v1/namespaces/ns/configmaps/kube-set-demo",
        "GET /apis/some.example/v1",
        "GET /apis/some.example/v1/namespaces/ns/things",
    ]


def strange(*kinds: str) -> list[Object]:
    """Objects of kinds that another set brings, two of each."""
    names = [(kind, name) for kind in kinds for name in ("one", "two")]
    return [{"apiVersion": "none.example/v1", "kind": kind, "metadata": {"name": name}} for kind, name in names]


def test_kinds_that_are_not_there_are_looked_for_once(server: Server, client: Client) -> None:
    found = present(client, *strange("Nothing", "Nowhere"), check_mode=True).result()
    assert len(found["created"]) == 4
    assert len([request for request in server.seen if request == "GET /apis"]) == 1


def test_kinds_that_cannot_be_looked_for(server: Server, client: Client) -> None:
    server.faults = [Fault("status", "^GET /apis$", 99, 403, {"message": "forbidden"})]
    with pytest.raises(KubeError, match=r"^the kinds of http.* cannot be listed: 403"):
        present(client, *strange("Nothing"), check_mode=True)


def test_kinds_are_looked_for_with_a_password_too(server: Server) -> None:
    connection = Connection(server.url, username="ana", password="hush")
    assert kinds_of(connection)["Pod"] == ["v1"]
    assert server.credentials[-1] == "Basic YW5hOmh1c2g="


def test_what_a_pod_could_not_mount_once_ends_no_wait(server: Server, client: Client) -> None:
    """Fresh, the event ends the wait; after two and a half minutes it says nothing."""
    owner = {"kind": "StatefulSet", "name": "web", "controller": True}
    meta = {"name": "web-0", "namespace": "ns", "uid": "p", "labels": {"app": "web"}, "ownerReferences": [owner]}
    server.store.save("/api/v1/namespaces/ns/pods/web-0", {"metadata": meta, "status": {"phase": "Pending"}}, "ADDED")
    for minutes, message in ((0, "cannot become ready"), (3, "is not ready after 2 s")):
        seen = datetime.datetime.now(tz=datetime.timezone.utc) - datetime.timedelta(minutes=minutes)
        event = {
            "metadata": {"name": "event", "namespace": "ns"},
            "reason": "FailedMount",
            "message": "no such secret",
            "involvedObject": {"kind": "Pod", "name": "web-0"},
            "lastTimestamp": seen.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        server.store.save("/api/v1/namespaces/ns/events/event", event, "MODIFIED")
        web = {**WEB, "kind": "StatefulSet", "spec": {"selector": {"matchLabels": {"app": "web"}}}}
        with pytest.raises(NotReadyError, match=message):
            present(client, web, wait=True, wait_timeout=2, wait_grace=0)


def test_more_lists_than_threads(server: Server, client: Client) -> None:
    """Each kind lies in two namespaces, so that the calls of a call could wait for threads that are all taken."""
    kinds = (
        CONF,
        {**CONF, "kind": "Secret", "data": {}},
        WEB,
        {**WEB, "kind": "StatefulSet"},
        {**WEB, "kind": "DaemonSet"},
    )
    objects = [
        {**obj, "metadata": {"name": f"{obj['kind'].lower()}-{space}", "namespace": space}}
        for obj in kinds
        for space in ("ns", "two")
    ]
    assert len(present(client, *objects).result()["created"]) == 10
    assert len(present(client, *objects).result()["unchanged"]) == 10


@pytest.mark.parametrize(
    ("answers", "threads"),
    [
        ([], 4),
        ([(0.002, False), (0.3, False)], 4),  # near, and busy once
        ([(0.15, True)], 8),  # three round trips of 50 ms: two to open the connection
        ([(0.045, True)], 4),
        ([(0.15, True), (0.06, False)], 8),
    ],
)
def test_a_server_far_away_gets_more_requests_at_a_time(
    client: Client, answers: list[tuple[float, bool]], threads: int
) -> None:
    client.each(str, [1, 2])  # the pool that may have to grow
    for answer in answers:
        client.contact.heard(*answer)
    together = threading.Barrier(threads)
    names = client.each(lambda _item: (together.wait(10), threading.current_thread().name)[1], range(2 * threads))
    assert len(set(names)) == threads


def test_a_field_of_no_object_is_refused_before_anything_is_sent(server: Server, client: Client) -> None:
    wrong = options.not_owned([{"kind": "ConfigMap", "name": "cnof", "field": "data.a"}], "ns")
    for given in ({}, {"check_mode": True}):
        with pytest.raises(KubeError, match=r"not_owned: the set has no ConfigMap ns/cnof \(data.a\)"):
            present(client, CONF, not_owned=wrong, **given)
    assert not server.seen
    assert engine(client, state="absent", not_owned=wrong).absent().result()["changed"] is False


def test_a_namespace_that_is_not_there(server: Server, client: Client) -> None:
    server.store.objects.pop("/api/v1/namespaces/ns")
    with pytest.raises(KubeError, match="the namespace ns does not exist: create it, or make it an object of the set"):
        present(client, CONF)
    assert not server.store.objects
