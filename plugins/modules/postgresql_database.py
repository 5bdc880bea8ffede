#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of a PostgreSQL server, with their owners and grants."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_database
short_description: Make the databases of a PostgreSQL server as described, with their owners and grants
version_added: 0.1.0
description:
  - One task for all databases of an application. Each belongs to a role that may sign in and nothing else; nobody else
    may connect unless it is granted.
  - It reaches the server in the cluster by a port-forward through the API server, or at O(endpoint).
  - What was changed by hand is set right - owner, password, attributes of the owner, grants, the connection limit, and
    that the database takes connections.
  - The owner's password has no end (VALID UNTIL), and the owner is a member of no other role. Such a membership is
    revoked, whoever granted it, and with it what the owner passed on.
  - Nobody can look into a database that takes no connections. It is opened, and all grants and extensions of the list
    are made again; the diff shows V(unknown) for what they were.
  - Passwords are compared and set as SCRAM verifiers, so the server neither receives nor logs them.
options:
  databases:
    description:
      - The databases.
      - Databases that are not in the list are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the database. Any character is possible, it is always quoted.
        type: str
        required: true
      state:
        description:
          - V(absent) removes the database with its data, if O(databases[].remove_data=true), and its owner unless that
            owns more.
        type: str
        choices: [present, absent]
        default: present
      owner:
        description: Role that owns the database. The default is O(databases[].name).
        type: str
      password:
        description:
          - Password of the owner, at least 12 printable ASCII characters. A role that does not exist yet needs it.
          - Without it, the password of an existing role is left as it is.
        type: str
      connection_limit:
        description: Connections that the database takes; V(-1) is no limit.
        type: int
        default: -1
      extensions:
        description: Extensions that the database has in the schema public. Others stay.
        type: list
        elements: str
        default: []
      grants:
        description:
          - What other roles may do. The list is complete - what roles hold beside it is taken from them.
        type: list
        elements: dict
        default: []
        suboptions:
          role:
            description: The role. It must exist, or be the owner of another database of the list.
            type: str
            required: true
          access:
            description:
              - V(connect) allows to sign in.
              - V(read) allows to read all tables of the schema public too, and those that the owner will make.
              - V(write) allows to write them.
            type: str
            choices: [connect, read, write]
            default: read
      remove_data:
        description: Allows O(databases[].state=absent) to remove the database with its data.
        type: bool
        default: false
  namespace:
    description: Namespace of the Service and the Secret.
    type: str
    default: mlops
  service:
    description: Service of the server.
    type: str
    default: postgresql
  port:
    description: Port of the Service.
    type: int
    default: 5432
  endpoint:
    description: Address of the server as V(host:port), instead of a port-forward.
    type: str
  login_user:
    description: The superuser that makes the changes.
    type: str
    default: postgres
  login_password:
    description: The superuser's password. Without it, the key C(password) of O(login_secret) is read.
    type: str
  login_secret:
    description: Secret with the superuser's password.
    type: str
    default: postgresql
  ssl_mode:
    description: Whether TLS is used, as in libpq. A port-forward is encrypted anyway.
    type: str
    choices: [disable, prefer, require, verify-ca, verify-full]
    default: prefer
  ca_file:
    description: Certificates that sign the server's, for V(verify-ca) and V(verify-full).
    type: path
extends_documentation_fragment:
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: Where the server is not there yet, everything is planned as created and named in RV(not_verified).
    support: full
  diff_mode:
    description: Passwords are shown as V(as given), V(another) or V(none).
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
requirements:
  - psycopg 3
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
- name: Make the databases of an application
  mlops.platform.postgresql_database:
    databases:
      - name: mlflow
        password: "{{ mlflow_database_password }}"
        grants: [{role: reports, access: read}]
      - name: mlflow_auth
        owner: mlflow
        password: "{{ mlflow_database_password }}"

- name: Remove a database with its data
  mlops.platform.postgresql_database:
    databases:
      - {name: trial, state: absent, remove_data: true}
"""

RETURN = r"""
created:
  description: Roles and databases that were made.
  returned: always
  type: list
  elements: str
  sample: [role mlflow, database mlflow]
configured:
  description: Roles and databases that were changed.
  returned: always
  type: list
  elements: str
removed:
  description: Roles and databases that were removed.
  returned: always
  type: list
  elements: str
not_verified:
  description: In check mode, what could not be compared because the server is not there yet.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.mlops.platform.plugins.module_utils._kube.connection import argument_spec
from ansible_collections.mlops.platform.plugins.module_utils._postgresql import PostgresqlError
from ansible_collections.mlops.platform.plugins.module_utils._postgresql.run import manage
from ansible_collections.mlops.platform.plugins.module_utils._postgresql.session import (
    HAS_PSYCOPG,
    session,
)
from ansible_collections.mlops.platform.plugins.module_utils._postgresql.wanted import wanted

GRANTS = {
    "role": {"type": "str", "required": True},
    "access": {"type": "str", "choices": ["connect", "read", "write"], "default": "read"},
}
DATABASES = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "owner": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "connection_limit": {"type": "int", "default": -1},
    "extensions": {"type": "list", "elements": "str", "default": []},
    "grants": {"type": "list", "elements": "dict", "options": GRANTS, "default": []},
    "remove_data": {"type": "bool", "default": False},
}
SPEC: dict[str, dict[str, t.Any]] = {
    "databases": {"type": "list", "elements": "dict", "options": DATABASES, "required": True},
    "namespace": {"type": "str", "default": "mlops"},
    "service": {"type": "str", "default": "postgresql"},
    "port": {"type": "int", "default": 5432},
    "endpoint": {"type": "str"},
    "login_user": {"type": "str", "default": "postgres"},
    "login_password": {"type": "str", "no_log": True},
    "login_secret": {"type": "str", "default": "postgresql", "no_log": False},
    "ssl_mode": {
        "type": "str",
        "choices": ["disable", "prefer", "require", "verify-ca", "verify-full"],
        "default": "prefer",
    },
    "ca_file": {"type": "path"},
}


# What the filter checked_rows asks before anything changes: the list, what refuses a wrong one, and its error.
CHECKED = ("databases", lambda params: wanted(params["databases"]), PostgresqlError)


def main(make: t.Callable[..., t.Any] = AnsibleModule) -> None:
    """Run the module."""
    module = make(argument_spec={**argument_spec(), **SPEC}, supports_check_mode=True)
    if not HAS_PSYCOPG:
        module.fail_json(msg=missing_required_lib("psycopg"))
    try:
        done = manage(module.params, module.check_mode, session)
    except PostgresqlError as error:
        module.fail_json(msg=str(error))
    if done["not_verified"]:
        module.warn(f"the plan could not be verified, it assumes an empty server: {done.pop('reason')}")
    module.exit_json(**done)


if __name__ == "__main__":
    main()
