"""MLflow's REST API for a client that has nothing but HTTP: how the server is reached, and what it keeps."""

from __future__ import annotations

import contextlib
import typing as t

import requests
from e2e.databases import secret

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.platform import Platform


class Tracking:
    """An MLflow at an address. Options: the file of the authority that made its certificate."""

    def __init__(self, url: str, login: tuple[str, str], authority: str | None = None) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = login
        self.session.verify = authority or True

    def ask(self, method: str, path: str, **keywords: t.Any) -> requests.Response:
        """One request; an answer that is no success is an error."""
        answer = self.session.request(method, f"{self.url}/api/2.0/{path}", timeout=60, **keywords)
        answer.raise_for_status()
        return answer

    def log(self, experiment: str, content: bytes) -> str:
        """A run with a metric and an artifact, which goes through the server; gives the run's id."""
        made = self.ask("POST", "mlflow/experiments/create", json={"name": experiment}).json()["experiment_id"]
        run = self.ask("POST", "mlflow/runs/create", json={"experiment_id": made}).json()["run"]["info"]
        run_id, place = run["run_id"], run["artifact_uri"]
        assert place.startswith("mlflow-artifacts:/"), place
        metric = {"run_id": run_id, "key": "loss", "value": 0.25, "timestamp": 1, "step": 0}
        self.ask("POST", "mlflow/runs/log-metric", json=metric)
        self.ask("PUT", self._artifact(place), data=content)
        return t.cast("str", run_id)

    def read(self, run_id: str) -> tuple[dict[str, float], bytes]:
        """The metrics and the artifact of a run."""
        run = self.ask("GET", "mlflow/runs/get", params={"run_id": run_id}).json()["run"]
        content = self.ask("GET", self._artifact(run["info"]["artifact_uri"])).content
        return {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}, content

    def steps(self, run_id: str, metric: str) -> list[int]:
        """All steps of a metric of a run."""
        found: list[int] = []
        wanted = {"run_id": run_id, "metric_key": metric, "max_results": "1000"}
        while True:
            page = self.ask("GET", "mlflow/metrics/get-history", params=wanted).json()
            found += [int(row["step"]) for row in page.get("metrics", [])]
            if not page.get("next_page_token"):
                return found
            wanted["page_token"] = page["next_page_token"]

    @staticmethod
    def _artifact(place: str) -> str:
        return f"mlflow-artifacts/artifacts/{place.removeprefix('mlflow-artifacts:/')}/model.bin"


def login(platform: Platform) -> tuple[str, str]:
    """The administrator of the platform's MLflow."""
    found = secret(platform, "mlflow")
    return found["username"], found["password"]


@contextlib.contextmanager
def tracking(platform: Platform) -> Iterator[Tracking]:
    """The platform's MLflow by a tunnel."""
    with platform.cluster.forwarded(platform.namespace, "service/mlflow", 5000) as address:
        yield Tracking(f"http://{address}", login(platform))
