#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_files
short_description: Write several small files at once
version_added: 0.1.0
description:
  - Writes files below one folder, each at once or not at all. One task instead of one a file keeps the lab fast.
author: [The mlops.platform maintainers (@mlops-platform)]
attributes:
  check_mode: {support: full, description: Nothing is written in check mode.}
  diff_mode: {support: full, description: "The content of the files, unless O(private=true)."}
options:
  path: {description: The folder., type: path, required: true}
  files:
    description: Names, relative to O(path), and contents. Folders in a name are made.
    type: dict
    required: true
  private:
    description: The files hold secrets. They are readable by root only and not shown in a diff.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Write the configuration
  mlops.platform.lab_files:
    path: /var/lib/mlops-lab/mlops/desa01/etc
    files:
      kubelet.yaml: "{{ lookup('ansible.builtin.template', 'kubelet.yaml.j2') }}"
"""

RETURN = r"""
written:
  description: Names of the files that were written, or would be in check mode.
  returned: always
  type: list
  elements: str
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._lab import files


def diff_of(path: str, before: str, after: str, private: bool) -> dict[str, str]:
    if private:
        return {"header": path, "before": "(hidden)\n", "after": "(hidden, changed)\n"}
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def run(module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    written, diffs = [], []
    for name, content in params["files"].items():
        path = os.path.join(params["path"], name)
        before, after = files.read(path), str(content).encode()
        if before == after:
            continue
        written.append(name)
        diffs.append(diff_of(path, (before or b"").decode(), str(content), params["private"]))
        if not module.check_mode:
            files.write(path, after, params["private"])
    return {"changed": bool(written), "written": written, "diff": diffs}


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    module = make(
        argument_spec={
            "path": {"type": "path", "required": True},
            "files": {"type": "dict", "required": True},
            "private": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    module.exit_json(**run(module))


if __name__ == "__main__":
    main()
