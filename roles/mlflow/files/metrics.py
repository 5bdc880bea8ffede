# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves the metrics that MLflow's workers write, on a port of its own: MLflow's own /metrics asks for a password."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

registry = CollectorRegistry()
MultiProcessCollector(registry, path=os.environ["MLFLOW_EXPOSE_PROMETHEUS"])
_server, thread = start_http_server(int(os.environ["METRICS_PORT"]), registry=registry)
thread.join()
