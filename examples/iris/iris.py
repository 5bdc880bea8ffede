# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Iris: train a model, log and register it, deploy it with two replicas, ask it over HTTP, shut it down."""

# %% [markdown]
# # Iris
# The life of a model: train, register, deploy, call, shut down. No address and no password is typed in: they come from
# the notebook's environment.

# %%
import mlflow
import mlops
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NAME = "iris"

# %% [markdown]
# ## Train

# %%
bunch = load_iris(as_frame=True)
features = bunch.data.rename(columns=lambda text: text.removesuffix(" (cm)").replace(" ", "_"))
train, test, train_target, test_target = train_test_split(features, bunch.target, random_state=7, stratify=bunch.target)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train, train_target)
accuracy = model.score(test, test_target)
print(f"accuracy {accuracy:.3f} on {len(test)} flowers")
assert accuracy > 0.9, "the model is not good enough to be served"

# %% [markdown]
# ## Log to MLflow, and register
# The example gives the model its signature: the served model checks each request against it.

# %%
mlflow.set_experiment(NAME)
logged = mlops.log_model(model, NAME, example=train.head(), metrics={"accuracy": accuracy}, alias="champion")
print(f"{logged.uri}, made in {logged.env_id}")

# %% [markdown]
# ## Deploy
# It waits until two replicas, each on a worker of its own, answer.

# %%
deployed = mlops.deploy(f"{NAME}@champion", replicas=2, cpus=0.25)
print(f"{deployed.url} after {deployed.seconds} s")

# %% [markdown]
# ## Call
# The served model says the same as the one in this notebook. A wrong request is refused, and the
# answer names the field.

# %%
served = mlops.call(NAME, test)
assert served == model.predict(test).tolist(), "the served model is not the trained one"
about = mlops.metadata(NAME)
assert (about["model"], about["version"]) == (NAME, logged.version), about
print(f"{len(served)} predictions as in the notebook, by version {about['version']}")

# %%
refused = None
try:
    mlops.call(NAME, [{"sepal_length": 5.1, "sepal_width": "wide", "petal_length": 1.4, "petal_width": 0.2}])
except mlops.CallError as error:
    refused = error
assert refused is not None, "a text was taken for a width"
assert refused.status == 422, refused
print(refused)

# %% [markdown]
# ## Shut down

# %%
mlops.undeploy(NAME)
print(f"{NAME} is shut down; its versions stay in MLflow")
