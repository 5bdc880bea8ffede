# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: may change in any release.
"""Does once, in the process that starts those of the tasks, what each of them would do anew."""

from __future__ import annotations

import gc

from ansible.plugins.loader import filter_loader, test_loader

# To find one filter of a collection, Ansible loads all of its files.
FILTER = "mlops.platform.component_labels"
TEST = "ansible.builtin.match"


def warm() -> None:
    """Do it. An action plugin calls this when it is imported, which is before its task's process is made."""
    filter_loader.get(FILTER)
    test_loader.get(TEST)
    # What is here by now stays for the whole run: collections in the tasks' processes would copy all of its memory.
    gc.freeze()
