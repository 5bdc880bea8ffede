"""What the role of a cluster writes for its node."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.template import trust_as_template
from rendering import ROLES, templar

from ansible_collections.mlops.platform.plugins.module_utils._lab import layout

LAYOUT = layout.layout("mlops", "10.77.0.0/16", {"desa01": 0}, "/checkout", "/cache")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver 192.0.2.53\n", "{file}"),
        ("nameserver 127.0.0.53\noptions edns0\n", "/run/systemd/resolve/resolv.conf"),
        (None, "{file}"),
    ],
)
def test_pods_get_name_servers_that_they_can_reach(tmp_path: Path, text: str | None, expected: str) -> None:
    file = tmp_path / "resolv.conf"
    if text is not None:
        file.write_text(text)
    given = {"lab_cluster_layout": LAYOUT, "lab_cluster_name": "desa01", "__lab_cluster_resolv_conf": str(file)}
    template = trust_as_template((ROLES / "lab_cluster/templates/node/kubelet.yaml.j2").read_text())
    kubelet = yaml.safe_load(str(templar("lab_cluster", **given).template(template)))
    assert kubelet["resolvConf"] == expected.format(file=file)
