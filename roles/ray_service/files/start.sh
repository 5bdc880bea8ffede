#!/bin/bash
# Becomes `ray start` when what it needs is there.
set -eu
python -I /etc/ray/wait.py
ulimit -n 65536 2>/dev/null || true
eval "exec $KUBERAY_GEN_RAY_START_CMD"
