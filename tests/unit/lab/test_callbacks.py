# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the callbacks print at the end of a run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from rendering import ROOT

from ansible_collections.mlops.platform.plugins.callback import failure_report, step_times
from ansible_collections.mlops.platform.plugins.module_utils import _progress as progress

PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Fail and be rescued
      block: [{ansible.builtin.fail: {msg: rescued}}]
      rescue: [{ansible.builtin.debug: {msg: well}}]
    - name: Fail without a word
      ansible.builtin.fail: {msg: the secret word}
      no_log: true
      when: inventory_hostname == 'two'
    - name: Fail for a reason
      ansible.builtin.fail: {msg: "the volume is full: {{ item }}"}
      loop: [a, b]
      when: inventory_hostname == 'three' and item == 'b'
    - name: Go on
      ansible.builtin.debug: {msg: "{{ inventory_hostname }} went on"}
"""

# As site.yml: a storage server, then the clusters, then their components.
SITE = """
- hosts: all:!nfs
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: looked at}
- hosts: nfs
  gather_facts: false
  tasks:
    - name: Install
      ansible.builtin.fail: {msg: the disk is full}
      when: broken == 'nfs'
- hosts: all:!nfs
  gather_facts: false
  serial: 1
  tasks:
    - name: Make the folders
      ansible.builtin.fail: {msg: no folder}
      when: broken == inventory_hostname
    - ansible.builtin.debug: {msg: "{{ inventory_hostname }} is ready"}
"""

# The pattern of the second play is made when it begins.
LATER = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.fail: {msg: no network}
- hosts: "{{ 'all' }}"
  gather_facts: false
"""


def run(folder: Path, hosts: str, play: str = PLAY, *options: str) -> tuple[str, str]:
    """What a run says before and in the report."""
    (folder / "play.yml").write_text(play)
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", hosts, "-c", "local", str(folder / "play.yml"), *options]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    before, _, report = result.stdout.partition("FAILURES ")
    return before, report


def test_a_failed_host_is_named_with_task_and_reason_and_the_others_go_on(tmp_path: Path) -> None:
    before, report = run(tmp_path, "one,two,three,")
    assert "one went on" in before
    assert "done: one\n" in report
    assert "failed: two in the playbook: Fail without a word\n      the output has been hidden" in report
    assert "failed: three in the playbook: Fail for a reason\n      the volume is full: b" in report
    assert "rescued" not in report
    assert "the secret word" not in report


def test_what_the_run_did_not_come_to_is_not_called_done(tmp_path: Path) -> None:
    _before, report = run(tmp_path, "nfs,one,two,", SITE, "-e", "broken=nfs")
    assert "done: none\n" in report
    assert "not reached: one, two; the run ended before their last play\n" in report
    assert "failed: nfs in the playbook: Install\n      the disk is full" in report


def test_a_batch_that_failed_ends_the_run_for_the_batches_after_it(tmp_path: Path) -> None:
    before, report = run(tmp_path, "nfs,one,two,three,", SITE, "-e", "broken=two")
    assert "one is ready" in before
    assert "done: nfs, one\n" in report
    assert "not reached: three;" in report
    assert "failed: two in the playbook: Make the folders" in report


def test_hosts_outside_of_the_limit_are_not_missed(tmp_path: Path) -> None:
    _before, report = run(tmp_path, "nfs,one,two,", SITE, "-e", "broken=nfs", "--limit", "nfs,one")
    assert "not reached: one;" in report


def test_a_host_is_missed_when_one_play_did_not_come_to_it() -> None:
    meant = {"a": ["one", "two"], "b": ["two", "three"], "c": ["nfs"]}
    assert failure_report.unreached(meant, {"a": {"one", "two"}, "b": {"two"}, "c": {"nfs"}}) == {"three"}
    assert failure_report.unreached(meant, {"a": {"one", "two"}, "c": {"nfs"}}) == {"two", "three"}
    assert failure_report.unreached(meant, {"a": {"one", "two"}, "b": {"two", "three"}, "c": {"nfs"}}) == set()


def test_a_play_whose_hosts_are_not_known_yet_is_not_asked_for_them(tmp_path: Path) -> None:
    before, report = run(tmp_path, "one,", LATER)
    assert "failed: one in the playbook" in report
    assert "Could not match" not in before + report


def test_nothing_is_printed_when_all_is_well(tmp_path: Path) -> None:
    before, report = run(tmp_path, "one,")
    assert "one went on" in before
    assert report == ""


def test_a_long_message_is_wrapped_and_cut() -> None:
    lines = failure_report.wrapped("a " * 100 + "\n\nb\n" + "line\n" * 30)
    assert max(map(len, lines)) <= failure_report.WIDTH
    assert len(lines) == failure_report.MOST_LINES + 1
    assert lines[-1] == "... the rest is above"


def test_the_times_of_roles_are_summed() -> None:
    times = [("redis", "a", 1.0), ("minio", "b", 2.0), ("redis", "c", 0.5)]
    assert step_times.by_role(times) == [("redis", 1.5), ("minio", 2.0)]
    assert step_times.table(times, 3.6, 1)[-2:] == ["  in all       3.6 s", "       2.0 s  minio: b"]


def test_a_long_task_tells_what_it_is_working_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = tmp_path / "progress"
    monkeypatch.setenv(progress.VARIABLE, str(shown))
    progress.say("nobody shows it")
    assert not shown.exists()
    shown.touch()
    progress.say("kube")
    line = step_times.reminder("lab_binaries", "Build the programs", 100.0, progress.said(shown), 140.0)
    assert line == "  ... lab_binaries: Build the programs: kube (40 s)"


def test_modules_of_a_run_reach_the_one_who_shows_progress(tmp_path: Path) -> None:
    task = "{ansible.builtin.shell: 'echo kube > $MLOPS_PROGRESS && cat $MLOPS_PROGRESS', register: said}"
    (tmp_path / "play.yml").write_text(
        f"- hosts: all\n  gather_facts: false\n  tasks: [{task}, {{ansible.builtin.debug: {{var: said.stdout}}}}]\n"
    )
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", "one,", "-c", "local", str(tmp_path / "play.yml")]
    command += ["-e", "ansible_python_interpreter='{{ ansible_playbook_python }}'"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "said.stdout: kube" in result.stdout, result.stdout
