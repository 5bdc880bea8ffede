# SPDX-License-Identifier: GPL-3.0-or-later
"""How a task reaches the API server of its cluster."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection options that kube_set and kube_set_info share."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file, or its content as a dictionary.
      - Without it, the variable V(cluster_kubeconfig) of the host is used, then the environment variable
        E(K8S_AUTH_KUBECONFIG).
        There is no other default, so that a run never falls on a cluster by chance.
      - Client certificates, tokens and basic credentials are read directly. Exec plugins and OIDC need the Python
        package C(kubernetes).
    type: raw
  context:
    description:
      - Context of the kubeconfig. Without it, the variable V(cluster_context) of the host is used, then the file's
        current context.
    type: str
  host:
    description:
      - URL of the API server, instead of a kubeconfig. Without it, the variable V(cluster_host) of the host is
        used.
      - A O(host) given as an argument wins over the variable V(cluster_kubeconfig).
    type: str
  api_key:
    description:
      - Bearer token for O(host). Without it, the variable V(cluster_api_key) of the host is used.
    type: str
  client_cert:
    description:
      - Path of the client certificate (PEM) for O(host). Without it, the variable V(cluster_client_cert) of the
        host is used.
    type: path
  client_key:
    description:
      - Path of the key of O(client_cert). Without it, the variable V(cluster_client_key) of the host is used.
    type: path
  ca_cert:
    description:
      - Path of the CA certificates that sign the server's certificate, for O(host).
        Without it, the variable V(cluster_ca_cert) of the host is used, then the system's certificates.
    type: path
  expected_server:
    description:
      - URL of the API server that must answer. Without it, the variable V(cluster_server) of the host is used.
      - No request is sent when the kubeconfig or O(host) names another server, and none when this is empty,
        unless O(allow_any_server=true).
    type: str
  allow_any_server:
    description:
      - Go on although nobody said which server is expected.
    type: bool
    default: false
"""
