#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin nfs_check, which does the work in the controller process."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nfs_check
short_description: Read what pods found out about volumes
version_added: 0.1.0
author: [The mlops.platform maintainers (@mlops-platform)]
description:
  - Waits for the pods that the role P(mlops.platform.nfs_check#role) runs, one for each component, and reads their
    reports.
  - It is an action plugin. It runs in the controller process and needs nothing on the host.
extends_documentation_fragment:
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Nothing changes.
    support: none
  idempotent:
    description: Reads only.
    support: full
options:
  namespace:
    description: Namespace of the pods.
    type: str
    required: true
  components:
    description: The components; each has a pod with the label C(mlops.platform/nfs-check).
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds to wait for all of them.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Read the reports
  mlops.platform.nfs_check:
    namespace: mlops-storage
    components: [postgresql, minio]
"""

RETURN = r"""
reports:
  description: By component, the numbers and the failed steps, or C(error) when there is no report.
  type: dict
  returned: success
  sample:
    minio: {write_mib_s: 112.4, fsync_median_ms: 1.9, fsync_p99_ms: 7.2, free_bytes: 53687091200, failed: {}}
    redis: {error: "mount failed: connection timed out"}
"""
