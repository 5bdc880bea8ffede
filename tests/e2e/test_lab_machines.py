"""The lab's registry and its storage machine, seen from outside."""

from __future__ import annotations

import base64
import http.client
import os
import secrets
import signal
import socket
import ssl
import subprocess
import typing as t
from pathlib import Path

import pytest
from e2e.cluster import ROOT

from ansible_collections.mlops.platform.plugins.module_utils._lab import procfs
from ansible_collections.mlops.platform.plugins.module_utils._lab.process_records import Records

if t.TYPE_CHECKING:
    from testinfra.host import Host


def catalog_status(lab: dict[str, t.Any], login: str | None) -> int:
    """The registry's answer to a request with this login, over TLS that only the instance's authority vouches for."""
    context = ssl.create_default_context(cafile=f"{lab['state_dir']}/pki/ca.crt")
    connection = http.client.HTTPSConnection(lab["registry"], timeout=10, context=context)
    headers = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"} if login else {}
    connection.request("GET", "/v2/_catalog", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def is_up(host: Host) -> bool:
    """Tell whether systemd has started all it has to; what other roles installed may have failed."""
    return host.run("systemctl is-system-running --wait").stdout.strip() in ("running", "degraded")


def test_the_registry_wants_the_login(lab: dict[str, t.Any]) -> None:
    password = Path(lab["state_dir"], "registry", "password").read_text(encoding="utf-8").strip()
    assert catalog_status(lab, f"lab:{password}") == 200
    assert catalog_status(lab, "lab:wrong") == 401
    assert catalog_status(lab, None) == 401


def test_the_registry_is_on_the_bridge_only(lab: dict[str, t.Any]) -> None:
    host, port = lab["registry"].split(":")
    socket.create_connection((host, int(port)), timeout=10).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)), timeout=10)


def test_secrets_are_for_root_only(lab: dict[str, t.Any]) -> None:
    for name in ("registry/password", "registry/htpasswd", "registry/auth.json", "storage/ssh_key", "storage/host_key"):
        assert Path(lab["state_dir"], name).stat().st_mode & 0o077 == 0


def test_the_storage_machine_is_a_server_of_its_own(lab: dict[str, t.Any], nfs01: Host) -> None:
    assert nfs01.check_output("hostname --fqdn") == lab["storage"]["dns_name"]
    assert is_up(nfs01)
    assert lab["storage"]["address"] in nfs01.interface("eth0").addresses
    assert nfs01.file("/bitnami").is_directory


def test_the_storage_machine_reaches_its_package_registry(nfs01: Host) -> None:
    nfs01.run_test("apt-get --quiet=2 -o APT::Update::Error-Mode=any update")


@pytest.mark.full
def test_a_killed_storage_machine_is_repaired_with_its_data(lab: dict[str, t.Any], nfs01: Host) -> None:
    """Killed without a shutdown: what was synced is there again, and its services run as they did."""
    note = secrets.token_hex(8)
    nfs01.run_test(f"echo {note} > /bitnami/note && sync")
    services = nfs01.check_output("systemctl list-units --type=service --state=running --plain --no-legend | wc -l")
    record = Records(Path(lab["state_dir"], "storage", "processes")).read(lab["storage"]["name"])
    assert record is not None
    procfs.send([record.identity], signal.SIGKILL)
    assert procfs.wait_all([record.identity], 30) == []
    environment = {**os.environ, "LAB_NAME": lab["name"], "LAB_CLUSTERS": ""}
    result = subprocess.run(
        ["lab/bin/lab", "up"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    assert is_up(nfs01)
    assert nfs01.check_output("cat /bitnami/note; rm /bitnami/note") == note
    again = nfs01.check_output("systemctl list-units --type=service --state=running --plain --no-legend | wc -l")
    assert int(again) >= int(services) - 1
