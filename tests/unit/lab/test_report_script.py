# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`make status` for an inventory that is not the lab's: the page, and nothing of the lab."""

from __future__ import annotations

import json
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from rendering import ROOT

if t.TYPE_CHECKING:
    from collections.abc import Iterator

CLUSTER = {
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "cluster_name": "prod99",
    "cluster_server": "https://127.0.0.1:9",
    "cluster_host": "https://127.0.0.1:9",
    "cluster_api_key": "none",
    "storage_host": "nfs99",
    "mlops_environment": "prod",
    "report_sizes": False,
}


@pytest.fixture
def inventory(tmp_path: Path) -> Iterator[Path]:
    """An inventory of one cluster that is away; its name is used by no other test."""
    file = tmp_path / f"{tmp_path.parent.name}-{tmp_path.name}.json"
    file.write_text(json.dumps({"prod": {"hosts": {"prod99": CLUSTER}}}))
    yield file
    shutil.rmtree(ROOT / ".cache" / "report" / file.name, ignore_errors=True)


def test_the_page_is_printed_and_kept_as_json(inventory: Path) -> None:
    # The environment is there: the test runs in it.
    command = ["make", "--no-print-directory", "--old-file=venv", "status", f"INVENTORY={inventory}"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    page, _, kept = result.stdout.rpartition("as JSON: ")
    assert page.startswith("prod99 (prod), Kubernetes unknown: cannot be read\n  https://127.0.0.1:9 cannot be reached")
    (found,) = json.loads((ROOT / kept.strip()).read_text())
    assert (found["cluster"], found["ready"]) == ("prod99", False)


def test_a_run_that_fails_says_why_and_leaves_no_old_page(inventory: Path) -> None:
    kept = ROOT / ".cache" / "report" / inventory.name
    kept.mkdir(parents=True)
    (kept / "report.json").write_text("[]")
    inventory.write_text(json.dumps({"prod": {"hosts": {"prod99": {}}}}))
    result = subprocess.run(["lab/bin/report", str(inventory)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "'cluster_name' is undefined" in result.stdout
    assert not (kept / "report.json").exists()


def test_a_host_that_breaks_hides_no_other(inventory: Path) -> None:
    inventory.write_text(json.dumps({"prod": {"hosts": {"prod98": {}, "prod99": CLUSTER}}}))
    result = subprocess.run(["lab/bin/report", str(inventory)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    page, _, log = result.stdout.partition("PLAY RECAP")
    assert page.startswith("prod99 (prod), Kubernetes unknown: cannot be read\n")
    assert "failed: prod98" in log
