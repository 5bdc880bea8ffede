# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of applications on the storage server: the role's own tasks in ansible-playbook, an API on a socket."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from rendering import CLUSTER, ROOT

from ansible_collections.mlops.platform.plugins.module_utils._ray import serve_config

from .conftest import FakeKube

IRIS = {"name": "iris", "import_path": "a.b:c", "route_prefix": "/iris", "args": {"ü": 1}}
WINE = {"name": "wine", "import_path": "a.b:c", "route_prefix": "/wine"}
REFUSED = {"name": "old", "import_path": "a.b:c", "route_prefix": "/wine"}


class Api:
    """A FakeKube behind a socket, and the playbook that is run against it."""

    def __init__(self, kube: FakeKube, folder: Path) -> None:
        self.kube, self.folder = kube, folder
        (folder / "data").mkdir()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path)
                if "watch=true" in path.query:
                    events = [{"type": "MODIFIED", "object": found} for found in api.kube.watch(path.path, {}, 1)]
                    self.send(200, *events)
                    return
                found = api.kube.get(path.path, {})
                self.send(200 if found else 404, found or {})

            def do_PATCH(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send(200, api.kube.patch(urlsplit(self.path).path, {}, body))

            def send(self, status: int, *bodies: t.Any) -> None:
                content = "".join(json.dumps(body) + "\n" for body in bodies).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: t.Any) -> None:
                """Quiet."""

        self.http = http.server.HTTPServer(("127.0.0.1", 0), Handler)

    def write(self, name: str, *entries: dict[str, t.Any]) -> None:
        """Write a list."""
        (self.folder / "data" / name).write_text(serve_config.dump({"applications": list(entries)}))

    def read(self, name: str) -> list[str]:
        """The names in a list; none where there is no file."""
        file = self.folder / "data" / name
        return [entry["name"] for entry in json.loads(file.read_text())["applications"]] if file.exists() else []

    def run(self, *tasks: str) -> str:
        """Run files of the role's tasks; what ansible-playbook says."""
        url = f"http://127.0.0.1:{self.http.server_port}"
        account = {"ray_service_uid": os.getuid(), "ray_service_gid": os.getgid()}
        connection = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
        }
        variables = {
            **CLUSTER,
            **account,
            **connection,
            "cluster_server": url,
            "cluster_host": url,
            "storage_host": "unit",
        }
        role = {"name": "mlops.platform.ray_service"}
        play = {
            "hosts": "unit",
            "gather_facts": False,
            "vars": {**variables, "cluster_api_key": "a-token", "ray_service_folder": str(self.folder)},
            "tasks": [
                {"name": f"Run {file}", "ansible.builtin.include_role": {**role, "tasks_from": file}} for file in tasks
            ],
        }
        playbook = self.folder / "play.yml"
        playbook.write_text(yaml.safe_dump([play]))
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "unit,", str(playbook)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def api(kube: FakeKube, tmp_path: Path) -> t.Iterator[Api]:
    found = Api(kube, tmp_path)
    threading.Thread(target=found.http.serve_forever, daemon=True).start()
    yield found
    found.http.shutdown()
    found.http.server_close()


def test_an_installation_that_was_interrupted_deploys_the_applications_on_the_next_run(api: Api) -> None:
    """It remembered the list, made the RayService, and ended before it deployed the second application. Then somebody
    removes Ray, or deploys another model: that does not drop from the list what is not deployed yet.
    """
    api.write("applications.json", IRIS, WINE)
    api.run("remember", "save")
    assert api.read("applications.json") == ["iris", "wine"]
    api.kube.write(
        api.kube.service, {"serveConfigV2": serve_config.dump(serve_config.with_entry(api.kube.config, "iris", IRIS))}
    )
    said = api.run("pending", "restore", "write")
    assert api.kube.names == ["model-list", "iris", "wine"]
    assert serve_config.find(api.kube.config, "iris") == IRIS
    assert api.read("applications.json") == ["iris", "wine"]
    assert not (api.folder / "data" / "applications.pending.json").exists()
    assert "'ü'" not in said


def test_an_application_that_is_refused_is_named_and_kept_and_the_others_are_deployed(api: Api) -> None:
    api.write("applications.json", WINE, REFUSED, IRIS)
    said = api.run("remember", "pending", "restore", "write")
    assert api.kube.names == ["model-list", "wine", "iris"]
    assert "route_prefix: /wine already belongs to the application ''wine''" in said
    assert api.read("applications.pending.json") == ["old"]
    assert sorted(api.read("applications.json")) == ["iris", "old", "wine"]
    kept = json.loads((api.folder / "data" / "applications.pending.json").read_text())["applications"]
    assert kept == [REFUSED]
