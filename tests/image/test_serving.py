"""The serving code and the library with the real MLflow, pandas and category-encoders: run inside the image ml.

usage: python -m unittest discover --start-directory tests/image
"""
# ruff: noqa: PT009, PT027  the image has unittest, and no pytest

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import socket
import tempfile
import threading
import unittest

FOLDER = tempfile.TemporaryDirectory()
os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{FOLDER.name}/mlflow.db"
os.chdir(FOLDER.name)

import mlflow  # noqa: E402 after its address
import mlops  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import requests  # noqa: E402
import uvicorn  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.models import ModelSignature  # noqa: E402
from mlflow.types import ColSpec, Schema  # noqa: E402
from mlops import calling, registry  # noqa: E402
from mlops_ray import RayError, application, contract, model  # noqa: E402
from mlops_serving import load, predict, request, result, web  # noqa: E402
from ray.serve import schema  # noqa: E402
from sklearn.linear_model import LinearRegression  # noqa: E402

OWN = contract.of_image()
WHEN = request.Signature(inputs=[{"type": "datetime", "name": "when", "required": True}])
FRAME = pd.DataFrame({"size": [1.0, 2.0, 3.0], "rooms": [1, 2, 3]})


class Picky(mlflow.pyfunc.PythonModel):
    """Answers with its input, and fails for a size below zero."""

    def predict(self, context, model_input, params=None):
        """A row for each row."""
        if (model_input["size"] < 0).any():
            raise ValueError("negative size")
        return model_input.assign(kind=[str(kind) for kind in model_input.dtypes[["size"]]] * len(model_input))


class Echo(mlflow.pyfunc.PythonModel):
    """Answers with what it is asked, in one piece."""

    def predict(self, context, model_input, params=None):
        """The types of what came, and it."""
        if isinstance(model_input, dict):
            return {name: [str(array.dtype), array] for name, array in model_input.items()}
        return {"types": model_input.dtypes.astype(str).to_dict(), "rows": model_input}


def logged(model: object = None, name: str = "linear") -> mlops.Logged:
    """A model in the registry."""
    return mlops.log_model(model or LinearRegression().fit(FRAME, [1.0, 2.0, 3.0]), name, example=FRAME, alias="best")


def body(*rows: dict[str, object]) -> bytes:
    """A request."""
    return json.dumps({"dataframe_records": rows}).encode()


class Logging(unittest.TestCase):
    """log_model, and finding what it logged."""

    def test_the_environment_is_in_the_model_and_on_its_version(self) -> None:
        made = logged()
        self.assertEqual(made.env_id, OWN.env_id)
        self.assertEqual(registry.find("linear@best"), registry.Found("linear", made.version, made.uri, OWN.env_id))
        self.assertEqual(mlflow.models.get_model_info(made.uri).metadata[contract.TAG], OWN.env_id)

    def test_the_newest_version_is_meant_without_one(self) -> None:
        versions = [logged(name="many").version for _number in range(2)]
        self.assertEqual(registry.find("many").version, versions[-1])

    def test_a_model_of_plain_mlflow_says_nothing_and_is_refused(self) -> None:
        model = LinearRegression().fit(FRAME, [1.0, 2.0, 3.0])
        mlflow.sklearn.log_model(model, name="plain", registered_model_name="plain", serialization_format="cloudpickle")
        self.assertIsNone(registry.find("plain").env_id)
        with self.assertRaisesRegex(RayError, "does not say which environment"):
            contract.check(registry.find("plain").env_id, OWN, "enforce")

    def test_what_is_not_there_is_named(self) -> None:
        logged()
        for which in ("nowhere", "linear/99", "linear@none"):
            with self.assertRaisesRegex(RayError, f"^model: {which}: MLflow says"):
                registry.find(which)

    def test_what_is_no_model_is_refused_before_anything_is_logged(self) -> None:
        before = len(mlflow.search_runs(search_all_experiments=True))
        with self.assertRaisesRegex(RayError, "neither a scikit-learn estimator"):
            mlops.log_model(3, "three", example=FRAME)
        self.assertEqual(len(mlflow.search_runs(search_all_experiments=True)), before)

    def test_a_name_may_have_a_quote(self) -> None:
        client = mlflow.MlflowClient()
        client.create_registered_model("john's")
        client.create_model_version("john's", logged().uri)
        # A store in files says it as a number, a server as text.
        self.assertEqual(str(registry.version_of(client, model.Reference("john's")).version), "1")

    def test_a_name_may_have_characters_that_a_logged_models_name_has_not(self) -> None:
        for name in ("credit.v1", 'a "quoted" 100% name', "m-house"):
            made = logged(name=name)
            self.assertEqual(registry.find(f"{name}@best").uri, made.uri)
            found = load.load(load.pinned(f"models:/{name}@best", 5), 5, OWN).about
            self.assertEqual((found["model"], found["version"]), (name, made.version))


class Inputs(unittest.TestCase):
    """Requests as models of all kinds of signatures get them."""

    def asked(self, uri: str, **document: object) -> object:
        """The model's answer, as a client reads it."""
        found = load.load(uri, 5, OWN)
        item = request.parse(json.dumps(document).encode(), found.signature)
        outcome = asyncio.run(predict.Predictor(found.model, found.signature).one(item))
        return json.loads(result.encode(result.plain(outcome)))

    def test_a_model_that_was_trained_on_an_array_is_asked(self) -> None:
        array = FRAME.to_numpy()
        made = mlops.log_model(LinearRegression().fit(array, [1.0, 2.0, 3.0]), "array", example=array)
        for answer in self.asked(made.uri, inputs=[[1, 1], [2, 2]]), self.asked(made.uri, **calling.body(array[:2])):
            np.testing.assert_allclose(answer, [1.0, 2.0])
        with self.assertRaises(request.InvalidError):
            self.asked(made.uri, inputs=[[1, 1, 1]])

    def test_named_arrays_have_the_types_of_the_signature(self) -> None:
        example = {"image": np.zeros((2, 2), "uint8"), "weight": np.zeros(2, "float32"), "when": np.zeros(2, "M8[ns]")}
        uri = mlops.log_model(Echo(), "arrays", example=example).uri
        asked = {"image": [[1, 255], [0, 1]], "weight": [1, 0.5], "when": ["2026-01-31T12:00:00"] * 2}
        self.assertEqual(
            self.asked(uri, inputs=asked),
            {
                "image": ["uint8", [[1, 255], [0, 1]]],
                "weight": ["float32", [1.0, 0.5]],
                "when": ["datetime64[ns]", ["2026-01-31T12:00:00"] * 2],
            },
        )
        for name, wrong in {"image": [[1, 256]] * 2, "weight": [1e39, 1], "when": ["soon"] * 2}.items():
            with self.assertRaises(request.InvalidError) as caught:
                self.asked(uri, inputs={**asked, name: wrong})
            self.assertEqual(caught.exception.problems[0].loc[:2], ("inputs", name))

    def test_columns_may_be_numbered(self) -> None:
        frame = pd.DataFrame(FRAME.to_numpy())
        made = mlops.log_model(LinearRegression().fit(frame, [1.0, 2.0, 3.0]), "numbered", example=frame)
        np.testing.assert_allclose(self.asked(made.uri, **json.loads(result.encode(calling.body(frame)))), [1, 2, 3])

    def test_optional_columns_may_be_absent(self) -> None:
        kinds = ["boolean", "integer", "long", "float", "double", "string", "binary", "datetime"]
        optional = [ColSpec(kind, kind, required=False) for kind in kinds]
        signature = ModelSignature(Schema([ColSpec("double", "size"), *optional]))
        uri = mlops.log_model(Echo(), "optional", example=FRAME[["size"]], signature=signature).uri
        for more in ({}, dict.fromkeys(kinds)):
            rows = self.asked(uri, inputs=[{"size": 1, **more}])["rows"]
            self.assertEqual((rows[0].pop("size"), set(rows[0].values())), (1.0, {None}))

    def test_a_frame_reaches_the_model_as_it_is(self) -> None:
        frame = pd.DataFrame(
            {
                "number": [0.1 + 0.2, 1e-320],
                "when": pd.to_datetime(["2026-01-31T12:00:00.000005", None]),
                "raw": [b"\xff", b""],
                "list": [np.array([1.5]), [2.0, 3.0]],
            }
        )
        uri = mlops.log_model(Echo(), "frame", example=frame).uri
        rows = self.asked(uri, **json.loads(result.encode(calling.body(frame))))["rows"]
        self.assertEqual([row["number"] for row in rows], [0.1 + 0.2, 1e-320])
        self.assertEqual([row["when"] for row in rows], ["2026-01-31T12:00:00.000005", None])
        self.assertEqual([row["raw"] for row in rows], ["/w==", ""])
        self.assertEqual([row["list"] for row in rows], [[1.5], [2.0, 3.0]])

    def test_a_model_without_a_signature_gets_what_came(self) -> None:
        mlflow.pyfunc.log_model(name="free", python_model=Echo(), registered_model_name="free")
        self.assertEqual(self.asked("models:/free/1", dataframe_records=[{"a": 1}])["rows"], [{"a": 1}])


class Names(unittest.TestCase):
    """What the platform knows of Ray Serve's configuration, against Ray's own description of it."""

    def test_the_fields_are_those_of_ray(self) -> None:
        own = set(schema.ServeApplicationSchema.model_fields) - {"host", "port"}  # of the whole service only
        self.assertEqual(set(application.FIELDS), own)
        self.assertEqual(set(application.DEPLOYMENT_FIELDS), set(schema.DeploymentSchema.model_fields))


class Loading(unittest.TestCase):
    """Loading with retries."""

    def test_an_alias_becomes_a_version(self) -> None:
        made = logged(name="pinned")
        for uri in ("models:/pinned@best", "models:/pinned/latest", "models:/pinned", made.uri):
            self.assertEqual(load.pinned(uri, 5), made.uri)

    def test_what_is_not_there_fails_at_once(self) -> None:
        pauses: list[float] = []
        with self.assertRaisesRegex(load.LoadError, "models:/nowhere/1: MLflow does not give the model"):
            load.retried("models:/nowhere/1", lambda: mlflow.pyfunc.load_model("models:/nowhere/1"), 60, pauses.append)
        self.assertEqual(pauses, [])

    def test_a_fault_that_passes_is_outlived(self) -> None:
        faults = [MlflowException("away"), requests.exceptions.ConnectionError("away")]
        pauses: list[float] = []

        def action() -> str:
            if faults:
                raise faults.pop()
            return "there"

        self.assertEqual(load.retried("m", action, 60, pauses.append), "there")
        self.assertEqual(pauses, [1.0, 2.0])

    def test_a_fault_that_stays_ends(self) -> None:
        pauses: list[float] = []

        def action() -> None:
            raise MlflowException("broken artifact")

        with self.assertRaisesRegex(load.LoadError, "broken artifact"):
            load.retried("m", action, 60, pauses.append)
        self.assertEqual(len(pauses), load.ATTEMPTS - 1)

    def test_another_environment_is_only_logged(self) -> None:
        made = logged()
        with self.assertLogs("ray.serve", logging.WARNING) as caught:
            found = load.load(made.uri, 5, contract.Environment("py3.13-other", (), "hash"))
        self.assertIn("py3.13-other would serve it", caught.output[0])
        self.assertFalse(found.about["env_id"]["agree"])
        self.assertEqual((found.about["model"], found.about["version"]), ("linear", made.version))


class Serving(unittest.TestCase):
    """The API of a model, behind a real server."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.loaded = load.load(logged(Picky(), "picky").uri, 5, OWN)
        cls.predictor = predict.Predictor(cls.loaded.model, cls.loaded.signature)
        listener = socket.create_server(("127.0.0.1", 0))
        cls.port = listener.getsockname()[1]
        application = web.application(cls.loaded, cls.predictor.one, {"replica": "r1"})
        cls.server = uvicorn.Server(uvicorn.Config(application, log_level="error"))
        cls.thread = threading.Thread(target=cls.server.run, args=([listener],), daemon=True)
        cls.thread.start()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.should_exit = True
        cls.thread.join()

    def asked(self, method: str, path: str, content: bytes | None = None) -> tuple[int, str]:
        """Status and text of an answer; the socket listens before the server runs, so that nothing is waited for."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, content)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def test_a_request_is_answered_with_the_signatures_types(self) -> None:
        status, text = self.asked("POST", "/predict", body({"size": 1, "rooms": 2}))
        self.assertEqual(status, 200, text)
        self.assertEqual(json.loads(text), {"predictions": [{"size": 1.0, "rooms": 2, "kind": "float64"}]})

    def test_a_wrong_field_is_named_with_422(self) -> None:
        status, text = self.asked("POST", "/predict", body({"size": "big", "rooms": 2}))
        self.assertEqual(status, 422, text)
        self.assertEqual(json.loads(text)["detail"][0]["loc"], ["body", "dataframe_records", 0, "size"])

    def test_a_model_that_fails_says_so_and_what_to_look_at(self) -> None:
        status, text = self.asked("POST", "/predict", body({"size": -1, "rooms": 2}))
        self.assertEqual(status, 500)
        self.assertEqual(
            json.loads(text)["detail"], "the model failed with ValueError; the log of replica r1 says more"
        )

    def test_times_of_all_zones_are_answered_and_those_that_do_not_fit_are_refused(self) -> None:
        frame = predict.frame(
            request.parse(json.dumps({"inputs": [{"when": "2026-01-31T12:00:00Z"}]}).encode(), WHEN).columns,
            WHEN.columns,
        )
        self.assertEqual(str(frame["when"][0]), "2026-01-31 12:00:00")
        for time in ("1677-09-22", "2262-04-10T23:59:59.999999"):
            found = request.parse(json.dumps({"inputs": [{"when": time}]}).encode(), WHEN)
            self.assertEqual(str(predict.frame(found.columns, WHEN.columns)["when"].dtype), "datetime64[ns]")
        with self.assertRaises(request.InvalidError):
            request.parse(json.dumps({"inputs": [{"when": "9999-12-31"}]}).encode(), WHEN)

    def test_health_metadata_and_pages(self) -> None:
        self.assertEqual(self.asked("GET", "/health"), (200, '{"status":"ok"}'))
        about = json.loads(self.asked("GET", "/metadata")[1])
        self.assertEqual((about["model"], about["lock"], about["replica"]), ("picky", OWN.lock, "r1"))
        self.assertEqual(about["env_id"], {"model": OWN.env_id, "serving": OWN.env_id, "agree": True})
        self.assertIn("/predict", json.loads(self.asked("GET", "/openapi.json")[1])["paths"])
        self.assertIn("picky", self.asked("GET", "/docs")[1])
        self.assertEqual(self.asked("GET", "/predict")[0], 405)

    def test_a_batch_is_predicted_together_and_taken_apart(self) -> None:
        found = self.outcomes({"size": 1, "rooms": 2}, {"size": 3, "rooms": 4})
        self.assertEqual([result.plain(item)[0]["rooms"] for item in found], [2, 4])

    def test_one_bad_request_of_a_batch_does_not_harm_the_others(self) -> None:
        good, bad = self.outcomes({"size": 1, "rooms": 2}, {"size": -1, "rooms": 4})
        self.assertEqual(result.plain(good)[0]["rooms"], 2)
        self.assertIsInstance(bad, ValueError)

    def test_a_model_that_answers_in_one_piece_is_asked_one_by_one(self) -> None:
        found = load.load(logged(Echo(), "echo").uri, 5, OWN)
        asked = predict.Predictor(found.model, found.signature)
        inputs = [request.parse(body({"size": size, "rooms": 2}), found.signature) for size in (1, 2)]
        with self.assertLogs("ray.serve", logging.WARNING) as caught:
            outcomes = asyncio.run(asked.many(inputs)), asyncio.run(asked.many(inputs))
        self.assertEqual(len(caught.output), 1)
        for two in outcomes:
            self.assertEqual([list(item["rows"]["size"]) for item in two], [[1.0], [2.0]])

    def outcomes(self, *rows: dict[str, object]) -> list[predict.Outcome]:
        """What each request of a batch gets."""
        inputs = [request.parse(body(row), self.loaded.signature) for row in rows]
        return asyncio.run(self.predictor.many(inputs))


if __name__ == "__main__":
    unittest.main()
