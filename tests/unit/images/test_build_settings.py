# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How builds reach package registries, taken from the machine that builds."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.mlops.platform.plugins.module_utils._images import ImagesError, apt, build_settings

TARGETS = """\
Translations|Debian|bookworm|main|http://other.example/debian/|
Packages|Docker|bookworm|main|http://docker.example/|/etc/docker.gpg
Packages|Debian|bookworm|contrib|http://wrong.example/debian/|
Packages|Debian|bookworm|main|http://mirror.example/debian/|/etc/keys/own.gpg
Packages|Debian|bookworm-security|main|http://mirror.example/security/|$(SIGNED_BY)
"""
MIRROR = apt.Mirror("http://mirror.example/debian", "http://mirror.example/security", "/etc/keys/own.gpg")


def test_the_mirror_is_that_of_the_machine() -> None:
    assert apt.mirror_of(TARGETS) == MIRROR


def test_a_keyring_that_is_not_named_is_debians() -> None:
    assert apt.mirror_of(TARGETS.replace("/etc/keys/own.gpg", "$(SIGNED_BY)")).keyring == apt.KEYRING


@pytest.mark.parametrize("targets", ["", TARGETS.replace("bookworm-security", "bookworm-updates")])
def test_a_machine_without_debian_is_told_what_to_give(targets: str) -> None:
    with pytest.raises(ImagesError, match="give apt_mirror and apt_security_mirror"):
        apt.mirror_of(targets)


def test_sources_name_the_wanted_suite() -> None:
    lines = apt.sources(MIRROR, "trixie", "/k.gpg", backports=True).splitlines()
    assert lines == [
        "deb [signed-by=/k.gpg] http://mirror.example/debian trixie main",
        "deb [signed-by=/k.gpg] http://mirror.example/debian trixie-updates main",
        "deb [signed-by=/k.gpg] http://mirror.example/security trixie-security main",
        "deb [signed-by=/k.gpg] http://mirror.example/debian trixie-backports main",
    ]


def test_only_the_way_to_the_mirror_is_passed_on() -> None:
    dump = (
        'Acquire "";\nAcquire::http "";\nAcquire::http::Proxy "http://u:p@proxy:3128";\nAcquire::httpish "1";\n'
        'Acquire::Check-Date "false";\nAcquire::cdrom "";\nDPkg::Post-Invoke:: "rm -f x";\n'
    )
    assert apt.passed_on(dump) == ['Acquire::http::Proxy "http://u:p@proxy:3128";', 'Acquire::Check-Date "false";']


def test_own_settings_win_over_those_of_the_environment() -> None:
    environment = {"https_proxy": "http://a", "PIP_INDEX_URL": "https://b", "SECRET": "x", "GOPROXY": ""}
    assert build_settings.inherited(environment, {"https_proxy": "http://c"}) == {
        "https_proxy": "http://c",
        "PIP_INDEX_URL": "https://b",
    }


def test_the_ca_bundle_is_the_given_one_or_the_first_that_exists() -> None:
    assert build_settings.ca_bundle("/a", lambda path: path == "/a") == "/a"
    assert build_settings.ca_bundle(None, lambda path: "pki" in path) == "/etc/pki/tls/certs/ca-bundle.crt"
    with pytest.raises(ImagesError, match="ca_file: /b does not exist"):
        build_settings.ca_bundle("/b", lambda path: False)


def test_the_environment_file_survives_any_value() -> None:
    text = build_settings.shell_environment({"PIP_INDEX_URL": 'https://u:it\'s $HOME "x"@h/'})
    script = f'{text}printf %s "$PIP_INDEX_URL"; printf "\n%s" "$PIP_CERT"'
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == 'https://u:it\'s $HOME "x"@h/\n/run/build/ca.pem'


def test_the_folder_is_complete_and_only_roots(tmp_path: Path) -> None:
    ca, keyring, folder = tmp_path / "ca", tmp_path / "keyring", tmp_path / "folder"
    ca.write_text("CA")
    keyring.write_text("KEYS")
    folder.mkdir()
    mirror = apt.Mirror("http://m/debian", "http://m/security", str(keyring))
    lines = ('Acquire::http::Proxy "http://u:p@proxy";',)
    build_settings.write(build_settings.BuildSettings(mirror, "trixie", str(ca), lines, {"GOPROXY": "x"}), str(folder))
    files = {path.name: path for path in folder.iterdir()}
    assert set(files) == {"env", "ca.pem", "keyring.gpg", "apt.conf", "apt-host.conf", "sources.list"}
    assert files["ca.pem"].read_text() == "CA"
    assert files["apt-host.conf"].read_text() == lines[0] + "\n"
    assert lines[0] in files["apt.conf"].read_text()
    assert files["env"].stat().st_mode & 0o077 == 0
    assert files["apt-host.conf"].stat().st_mode & 0o077 == 0
