# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of one's own as code: a zip in the object store that Ray fetches, deployed, asked, shut down."""

# %% [markdown]
# # A model of one's own, as code
# The folder `code` holds a Python package with the model and its Serve application. It goes as a zip into the object
# store, and the workers fetch it from there with a key that may only read (Ray's `runtime_env`).

# %%
import sys
from pathlib import Path

import mlops

CODE = Path(globals().get("__file__", "custom_v1.py")).resolve().parent / "code"
NAME = "risk-v1"

# %% [markdown]
# ## Try the model here

# %%
sys.path.insert(0, str(CODE))
from risk.data import COLUMNS, customers  # noqa: E402 found by the line above
from risk.model import risks, trained  # noqa: E402

asked = customers(rows=50, seed=8)
model = trained()
accuracy = model.score(asked[COLUMNS], asked["left"])
print(f"accuracy {accuracy:.2f} on {len(asked)} customers that it has not seen")
assert accuracy > 0.6, "the model is not good enough to be served"

# %% [markdown]
# ## Store the code
# The name has the content's hash: a change of the code is a new address.

# %%
address = mlops.upload_code(CODE, "risk")
print(address)

# %% [markdown]
# ## Deploy

# %%
deployed = mlops.deploy_code(
    NAME, "risk.app:build", address, deployment="Risk", arguments={"version": address}, replicas=2, cpus=0.25
)
print(f"{deployed.url} after {deployed.seconds} s")

# %% [markdown]
# ## Call

# %%
rows = asked[COLUMNS].to_dict(orient="records")
served = mlops.call(NAME, rows)
assert served == risks(model, asked), "the served model is not the one of this code"
assert mlops.metadata(NAME) == {"model": "risk", "version": address}
print(f"{len(served)} risks as here, the first is {served[0]}")

# %%
refused = None
try:
    mlops.call(NAME, [{**rows[0], "months": "many"}])
except mlops.CallError as error:
    refused = error
assert refused is not None, "a text was taken for a number of months"
assert refused.status == 422, refused
print(refused)

# %% [markdown]
# ## Shut down

# %%
mlops.undeploy(NAME)
print(f"{NAME} is shut down; its code stays in the object store")
