#!/bin/bash
# Becomes `ray start` when what it needs is there.
set -eu
python -I /etc/ray/wait.py
# Every Ray cluster has an id of its own; in a Redis that is shared, the name of the Kubernetes cluster stands before it.
[ -z "${REDIS_KEY_PREFIX:-}" ] || export RAY_external_storage_namespace="$REDIS_KEY_PREFIX-$RAY_external_storage_namespace"
ulimit -n 65536 2>/dev/null || true
eval "exec $KUBERAY_GEN_RAY_START_CMD"
