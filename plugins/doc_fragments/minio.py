# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a task reaches a MinIO server."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that the MinIO modules share."""

    DOCUMENTATION = r"""
options:
  endpoint:
    description:
      - Address of the server, such as V(http://127.0.0.1:9000) or V(https://s3.example.com).
      - Without it, the server is reached through the API server of its cluster, see O(service).
    type: str
  ca_file:
    description:
      - Path of the CA certificates that sign the certificate of O(endpoint). Without it the system's are used.
    type: path
  service:
    description:
      - Service of the server in its cluster. It is reached by a port-forward through the API server, so no route into
        the cluster is needed.
    type: str
    default: minio
  namespace:
    description:
      - Namespace of O(service). Needed without O(endpoint).
    type: str
  port:
    description:
      - Port of O(service).
    type: int
    default: 9000
  tls:
    description:
      - Whether O(service) speaks TLS. Its certificate is not checked, because the API server vouches for the pod.
    type: bool
    default: false
  region:
    description: Region of the server.
    type: str
    default: us-east-1
  access_key:
    description: Name of the administrator.
    type: str
  secret_key:
    description: Secret of the administrator.
    type: str
  login_secret:
    description:
      - Name of a Secret in O(namespace) with the administrator's name and secret (C(root_user), C(root_password)),
        instead of O(access_key) and O(secret_key).
    type: str
requirements:
  - minio (Python package) >= 7.2.20
"""
