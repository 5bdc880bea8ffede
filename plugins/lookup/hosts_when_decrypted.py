# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: hosts_when_decrypted
short_description: The hosts of a play, once every encrypted file of variables can be read
version_added: 0.1.0
description:
  - Ansible reads the inventory's files of variables when a play begins. Without the vault's password it ends with a
    line that names neither the file nor the remedy. The pattern of hosts is made before, so this lookup speaks first.
  - Looks at the files in the folders C(group_vars) and C(host_vars) beside each source of the inventory.
  - Decrypts what is encrypted as a whole and throws it away. M(mlops.platform.inventory_check) does single values.
options:
  _terms:
    description: Patterns of hosts, given back as they are.
    required: true
author: The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Look at the inventory
  hosts: "{{ lookup('mlops.platform.hosts_when_decrypted', 'all') }}"
  gather_facts: false
"""

RETURN = r"""
_raw:
  description: The patterns.
  type: list
  elements: str
"""

import typing as t
from pathlib import Path

from ansible import context
from ansible.errors import AnsibleError
from ansible.parsing.vault import is_encrypted_file
from ansible.plugins.lookup import LookupBase

FOLDERS = ("group_vars", "host_vars")
REFUSAL = (
    "{}: it is encrypted, and the vault's password is missing or wrong; give it with --ask-vault-pass or in the file "
    "that ANSIBLE_VAULT_PASSWORD_FILE names. Nothing was touched"
)


def encrypted_files(sources: t.Iterable[str]) -> list[Path]:
    """Files of variables that are encrypted as a whole; a source is a file, a folder or a list of host names."""
    bases = {path if path.is_dir() else path.parent for path in map(Path, sources) if path.exists()}
    files = {file for base in bases for folder in FOLDERS for file in (base / folder).rglob("*") if file.is_file()}
    return sorted(file for file in files if is_encrypted(file))


def is_encrypted(file: Path) -> bool:
    """Whether the file begins as ansible-vault writes it."""
    try:
        with file.open("rb") as content:
            return bool(is_encrypted_file(content))
    except OSError:
        # Ansible says what is wrong with a file that it cannot read.
        return False


class LookupModule(LookupBase):
    """The lookup plugin hosts_when_decrypted."""

    def run(self, terms: list[str], variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        """Give the patterns back, or refuse with the file that cannot be read."""
        self.set_options(var_options=variables, direct=kwargs)
        for file in encrypted_files(context.CLIARGS.get("inventory") or ()):
            try:
                self._loader.get_text_file_contents(str(file))
            except AnsibleError:
                raise AnsibleError(REFUSAL.format(file)) from None
        return terms
