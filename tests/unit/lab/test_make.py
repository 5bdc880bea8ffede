"""What make hands on to the programs of the lab, and what it refuses before anything is installed."""

from __future__ import annotations

import os
import subprocess
import typing as t

import pytest
from rendering import ROOT

from ansible_collections.mlops.platform.plugins.module_utils._lab import layout

PROXY = "http://proxy.example.com:3128"
# An instance that this machine does not have.
NAME = "unittest"
SUBNET = layout.default_subnet(NAME)
GATEWAY = SUBNET.replace(".0.0/16", ".0.1")


def made_of(variable: str, *arguments: str, **environment: str) -> str:
    """A variable as the recipes of the Makefile get it."""
    # A make around the tests hands its own settings on.
    own = ("LAB_", "MAKE", "MFLAGS", "PYTHON")
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith(own)}
    command = ["make", "--silent", f"--eval=shown: ; @echo $${variable}", "shown", f"LAB_NAME={NAME}", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_behind_a_proxy_the_lab_is_reached_directly(name: str) -> None:
    assert made_of(name, https_proxy=PROXY) == f"{SUBNET},{GATEWAY}"
    given = made_of(name, https_proxy=PROXY, no_proxy="localhost,.example.com")
    assert given == f"localhost,.example.com,{SUBNET},{GATEWAY}"
    assert made_of(name, https_proxy=PROXY, no_proxy=given) == given


def test_a_subnet_that_is_given_is_reached_directly() -> None:
    assert made_of("no_proxy", "LAB_SUBNET=172.20.0.0/16", HTTP_PROXY=PROXY) == "172.20.0.0/16,172.20.0.1"


def test_what_cannot_be_computed_keeps_the_users_own() -> None:
    assert made_of("no_proxy", "PYTHON=false", https_proxy=PROXY, no_proxy="localhost") == "localhost"


def test_without_a_proxy_nothing_is_set() -> None:
    assert made_of("no_proxy") == ""
    assert made_of("no_proxy", no_proxy="localhost") == "localhost"


def test_roots_programs_are_found_after_su() -> None:
    assert made_of("PATH", PATH="/usr/bin:/bin") == "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


def test_a_relative_folder_of_the_cache_is_that_of_the_checkout() -> None:
    assert made_of("LAB_CACHE", "LAB_CACHE=cache") == f"{ROOT}/cache"
    assert made_of("LAB_CACHE", LAB_CACHE="/somewhere/cache") == "/somewhere/cache"


@pytest.mark.parametrize("goal", ["up", "lab", "down"])
def test_who_is_not_root_is_told_before_anything_is_installed(goal: str) -> None:
    planned = subprocess.run(["make", "--dry-run", goal], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert planned.index("lab/bin/lab check") < planned.index("lab/bin/venv")


def check(**options: t.Any) -> subprocess.CompletedProcess[str]:
    """The check's answer; the text of the script comes by stdin, since others may not read this checkout."""
    text = (ROOT / "lab/bin/lab").read_text(encoding="utf-8")
    command = ["sh", "-s", "check"]
    return subprocess.run(command, input=text, cwd="/", capture_output=True, text=True, check=False, **options)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_the_check_says_to_run_it_as_root() -> None:
    refused = check(user=65534, group=65534, extra_groups=[])
    assert refused.returncode == 1
    assert "run it as root" in refused.stderr
    assert check().returncode == 0
