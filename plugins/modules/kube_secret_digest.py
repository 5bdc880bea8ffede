#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Secrets have changed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_secret_digest
short_description: Tell whether values of Secrets have changed
version_added: 0.1.0
description:
  - Returns a short keyed digest of values of Secrets, for an annotation of a pod template. The values are not returned,
    and without O(master_key) nobody can try passwords on the digest.
  - A Secret or a key that is not there counts as no value.
options:
  namespace:
    description: Namespace of the Secrets.
    type: str
    default: mlops
  keys:
    description: What the digest is about.
    type: list
    elements: dict
    required: true
    suboptions:
      secret: {description: Name of a Secret., type: str, required: true}
      key: {description: Key in it., type: str, required: true}
  master_key:
    description: The key of the digest.
    type: str
    required: true
extends_documentation_fragment:
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: It only reads.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: It only reads.
    support: full
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: See whether MLflow's password is another one
  mlops.platform.kube_secret_digest:
    keys: [{secret: mlflow-ray, key: password}]
    master_key: "{{ platform_master_key }}"
  register: mlflow_login
"""

RETURN = r"""
digest:
  description: The digest.
  returned: always
  type: str
  sample: 8a1f0c22d3b4e5f6
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mlops.platform.plugins.module_utils._digest import keyed_digest
from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.mlops.platform.plugins.module_utils._kube.errors import KubeError
from ansible_collections.mlops.platform.plugins.module_utils._login import SECRET
from ansible_collections.mlops.platform.plugins.module_utils._tunnel import client_for

KEYS: dict[str, dict[str, t.Any]] = {
    "secret": {"type": "str", "required": True, "no_log": False},
    "key": {"type": "str", "required": True, "no_log": False},
}
SPEC: dict[str, dict[str, t.Any]] = {
    "namespace": {"type": "str", "default": "mlops"},
    "keys": {"type": "list", "elements": "dict", "required": True, "options": KEYS, "no_log": False},
    "master_key": {"type": "str", "required": True, "no_log": True},
}
Find = t.Callable[[str], t.Any]


def values(find: Find, namespace: str, keys: t.Sequence[t.Mapping[str, str]]) -> list[str | None]:
    """Each value in base64, in the order of Secrets and keys; ``find`` gives the object of a path."""
    wanted = sorted({(item["secret"], item["key"]) for item in keys})
    found = {
        name: (find(SECRET.path(namespace, name)) or {}).get("data") or {} for name in {pair[0] for pair in wanted}
    }
    return [found[name].get(key) for name, key in wanted]


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    module = make(argument_spec={**argument_spec(), **SPEC}, supports_check_mode=True)
    try:
        with client_for(module.params) as client:
            found = values(client.find, module.params["namespace"], module.params["keys"])
    except KubeError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, digest=keyed_digest(module.params["master_key"], found))


if __name__ == "__main__":
    main()
