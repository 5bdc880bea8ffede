# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings MLflow's tracking and auth databases to the schema of this image, while no server uses them.

It runs as a Job before the servers of a new version start. Where the schema is right already it changes nothing, and
the running servers go on. Where it is older, the servers are scaled to nothing first; the role starts them again
afterwards. A schema that this image does not know, because a newer MLflow made it, is refused with nothing changed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import ssl
import sys
import typing as t
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# The Job does not try again after this exit status: somebody has to decide something.
REFUSED = 3
# One migration at a time, whoever starts it.
LOCK = "SELECT pg_advisory_lock(hashtext('mlops.platform/mlflow'))"
# For connections of this script: seconds until PostgreSQL answers, and how long another session may hold a lock.
SESSION = {"connect_timeout": 10, "options": "-c lock_timeout=5min"}
# Seconds that the API server has for an answer; a watch ends long before.
ANSWER = 60.0
# A pod that is over uses no database, but stays listed: one that was evicted for ever.
RUNNING = "status.phase!=Failed,status.phase!=Succeeded"


class Refused(Exception):  # noqa: N818 - it is no error of the program
    """Why nothing was changed."""


class Schema(t.NamedTuple):
    """A database, the revision that it has, and those that this image knows, the newest last."""

    name: str
    url: str
    found: str | None
    known: frozenset[str]
    newest: str


def say(text: str) -> None:
    """A line of the log."""
    print(f"migrate: {text}", flush=True)


def old(schemas: t.Sequence[Schema]) -> list[Schema]:
    """The databases that are not as this image wants them; empty ones are."""
    for schema in schemas:
        if schema.found is not None and schema.found not in schema.known:
            raise Refused(
                f"the {schema.name} database has schema {schema.found}, which this image does not know (its newest is "
                f"{schema.newest}): a newer MLflow made it. Use that image, or restore the backup from before it. "
                "Nothing was changed"
            )
    return [schema for schema in schemas if schema.found != schema.newest]


def in_use(schemas: t.Sequence[Schema]) -> bool:
    """Whether servers may be running on these databases: an empty one has none."""
    return any(schema.found is not None for schema in schemas)


# -- the databases


def read(name: str, url: str, migrations: str, table: str) -> Schema:
    """What a database has and what this image wants."""
    import sqlalchemy
    from alembic.script import ScriptDirectory

    package = importlib.util.find_spec("mlflow")
    if package is None or package.origin is None:
        raise Refused("this image has no MLflow; correct mlflow_image")
    scripts = ScriptDirectory(str(Path(package.origin).parent / migrations))
    engine = sqlalchemy.create_engine(url, connect_args=SESSION)
    with engine.connect() as connection:
        has_table = sqlalchemy.inspect(connection).has_table(table)
        found = connection.scalar(sqlalchemy.text(f"SELECT version_num FROM {table}")) if has_table else None  # noqa: S608
    engine.dispose()
    known = frozenset(revision.revision for revision in scripts.walk_revisions())
    return Schema(name, url, found, known, str(scripts.get_current_head()))


def read_all() -> list[Schema]:
    """Both databases."""
    urls = os.environ["MLFLOW_BACKEND_STORE_URI"], os.environ["MLFLOW_AUTH_DATABASE_URI"]
    return [
        read("tracking", urls[0], "store/db_migrations", "alembic_version"),
        read("auth", urls[1], "server/auth/db/migrations", "alembic_version_auth"),
    ]


def upgrade(schema: Schema) -> None:
    """Run MLflow's own command, in this process: an argument of a program is for everybody to see."""
    if schema.name == "tracking":
        from mlflow.db import commands

        commands.main(["upgrade", schema.url], standalone_mode=False)
    else:
        from mlflow.server.auth.db.cli import commands

        commands.main(["upgrade", "--url", schema.url], standalone_mode=False)


# -- the servers


class Cluster:
    """The API server, as far as this Job may use it."""

    def __init__(self, namespace: str, deployment: str) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        self.server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
        self.context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        # The CA of many clusters lacks an extension that newer Pythons ask for.
        self.context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self.deployment = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
        self.pods = f"/api/v1/namespaces/{namespace}/pods"

    def request(self, method: str, path: str, body: t.Any = None) -> t.Any:
        """The first line of an answer as data, which is all of it unless it is a watch; None for what is not there."""
        headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"}
        if body is not None:
            headers["Content-Type"] = "application/merge-patch+json"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=ANSWER, context=self.context) as response:  # noqa: S310
                return json.loads(response.readline() or "{}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def drain(self, selector: str) -> None:
        """Scale the servers to nothing, and wait until the last one has ended."""
        if self.request("PATCH", f"{self.deployment}/scale", {"spec": {"replicas": 0}}):
            say("the servers are stopped for the time of the migration")
        query = f"{self.pods}?{urllib.parse.urlencode({'labelSelector': selector, 'fieldSelector': RUNNING})}"
        while (pods := self.request("GET", query))["items"]:
            # It answers with the first change, or after a while.
            version = pods["metadata"]["resourceVersion"]
            self.request("GET", f"{query}&watch=true&timeoutSeconds=30&resourceVersion={version}")


def main() -> int:
    """Migrate what is old; the exit status."""
    try:
        todo = old(read_all())
        if not todo:
            say("both databases have the schema of this image")
            return 0
        if in_use(todo):
            Cluster(os.environ["NAMESPACE"], os.environ["DEPLOYMENT"]).drain(os.environ["SELECTOR"])
        migrate()
    except Refused as reason:
        say(str(reason))
        return REFUSED
    return 0


def migrate() -> None:
    """Migrate both databases under a lock: another Job may have been faster."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(os.environ["MLFLOW_BACKEND_STORE_URI"], connect_args=SESSION)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(LOCK))
        for schema in old(read_all()):
            say(f"the {schema.name} database goes from schema {schema.found or 'nothing'} to {schema.newest}")
            upgrade(schema)
    engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
