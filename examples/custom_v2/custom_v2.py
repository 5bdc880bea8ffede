# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same model of one's own, serialised: a pyfunc with its code and a category-encoders pipeline, from MLflow."""

# %% [markdown]
# # A model of one's own, serialised
# The model of `custom_v1`, trained here and logged to MLflow: the fitted pipeline (category-encoders and scikit-learn)
# together with the code that it needs. The platform's own serving application serves it by its address alone.

# %%
import sys
from pathlib import Path

import mlflow
import mlops

CODE = Path(globals().get("__file__", "custom_v2.py")).resolve().parent.parent / "custom_v1" / "code"
NAME = "risk"

# %%
sys.path.insert(0, str(CODE))
from risk.data import COLUMNS, customers  # noqa: E402 found by the line above
from risk.model import risks, trained  # noqa: E402


class Risk(mlflow.pyfunc.PythonModel):
    """A fitted pipeline that answers with risks instead of classes."""

    def __init__(self, pipeline):
        self.pipeline = pipeline

    def predict(self, context, model_input, params=None):
        """The risk of each customer."""
        return risks(self.pipeline, model_input)


# %% [markdown]
# ## Train, log and register
# `code_paths` puts the package `risk` into the model: the serving workers do not have it.

# %%
asked = customers(rows=50, seed=8)
model = Risk(trained())
accuracy = model.pipeline.score(asked[COLUMNS], asked["left"])
assert accuracy > 0.6, "the model is not good enough to be served"
mlflow.set_experiment(NAME)
logged = mlops.log_model(
    model, NAME, example=asked[COLUMNS].head(), metrics={"accuracy": accuracy}, code_paths=[str(CODE / "risk")]
)
print(f"{logged.uri}, accuracy {accuracy:.2f}")

# %% [markdown]
# ## Deploy
# Requests that arrive within 10 ms of each other are predicted together.

# %%
deployed = mlops.deploy(
    logged.uri, name="risk-v2", replicas=2, cpus=0.25, batching={"max_batch_size": 16, "wait_s": 0.01}
)
print(f"{deployed.url} after {deployed.seconds} s")

# %% [markdown]
# ## Call

# %%
served = mlops.call("risk-v2", asked[COLUMNS])
assert served == risks(model.pipeline, asked), "the served model is not the trained one"
assert mlops.metadata("risk-v2")["version"] == logged.version
print(f"{len(served)} risks as here, the first is {served[0]}")

# %%
refused = None
try:
    mlops.call("risk-v2", [{"city": "Lima", "contract": "monthly", "months": "many", "monthly_fee": 20.0}])
except mlops.CallError as error:
    refused = error
assert refused is not None, "a text was taken for a number of months"
assert refused.status == 422, refused
print(refused)

# %% [markdown]
# ## Shut down

# %%
mlops.undeploy("risk-v2")
print("risk-v2 is shut down; its versions stay in MLflow")
