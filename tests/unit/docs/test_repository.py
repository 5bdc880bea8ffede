# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What git keeps is the project, and nothing that is made on a machine."""

from __future__ import annotations

import subprocess

from rendering import ROOT


def test_no_file_is_kept_that_is_to_be_ignored() -> None:
    """Git replaces an ignored file by one that it keeps: a link in place of .lab would end the running lab's record."""
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout == ""
