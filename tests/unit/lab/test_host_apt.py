# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from ansible_collections.mlops.platform.plugins.module_utils._lab import host_apt
from ansible_collections.mlops.platform.plugins.module_utils._lab.rootfs import Apt

ANSWER = Apt("deb http://mirror bookworm main\n", 'Acquire::http::Proxy "http://proxy";\n', "/keyring")


def test_any_change_of_the_configuration_shows(tmp_path: Path) -> None:
    sources = tmp_path / "sources.list.d" / "a.sources"
    sources.parent.mkdir()
    seen = {host_apt.fingerprint("bookworm", str(tmp_path))}
    sources.write_text("one")
    seen.add(host_apt.fingerprint("bookworm", str(tmp_path)))
    sources.write_text("three")
    seen.add(host_apt.fingerprint("bookworm", str(tmp_path)))
    seen.add(host_apt.fingerprint("trixie", str(tmp_path)))
    assert len(seen) == 4
    assert host_apt.fingerprint("bookworm", str(tmp_path)) in seen


def test_an_answer_is_good_until_the_configuration_changes(tmp_path: Path) -> None:
    record = tmp_path / "apt.json"
    assert host_apt.remembered(record, "now") is None
    host_apt.remember(record, "now", ANSWER)
    assert host_apt.remembered(record, "now") == ANSWER
    assert host_apt.remembered(record, "later") is None
    assert record.stat().st_mode & 0o077 == 0
