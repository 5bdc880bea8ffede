#!/usr/bin/python
# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin kube_set, which does the work in the controller process."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_set
short_description: Make a Kubernetes cluster equal to a set of objects
version_added: 0.1.0
description:
  - Renders the role's templates, compares them with the cluster, applies what differs, removes what left the set,
    and waits
    until everything is ready. One task does it for all objects of a role.
  - The set is remembered in a ConfigMap C(kube-set-<name>) in O(namespace), so that pruning, O(state=absent) and
    M(mlops.platform.kube_set_info) need no templates.
  - It is an action plugin. It runs in the controller process and needs nothing on the host.
options:
  name:
    description:
      - Name of the set, unique in O(namespace). Every object but namespaces gets the label C(mlops.platform/set)
        with the
        value C(<namespace>.<name>), so that both together may have 62 characters.
    type: str
    required: true
  namespace:
    description:
      - Namespace of the set's inventory, and of each namespaced object that names none.
      - It must exist or be an object of the set.
    type: str
    required: true
  state:
    description:
      - V(present) makes the cluster equal to the set.
      - V(absent) removes all objects of the set in reverse order. It works from the inventory alone and renders
        nothing.
        Claims, volumes and namespaces stay, see O(remove_claims) and O(remove_namespaces).
    type: str
    choices: [present, absent]
    default: present
  templates:
    description:
      - Jinja templates of YAML documents. A relative path is looked up as M(ansible.builtin.template) does, and
        may be a pattern.
      - Without it, all of the calling role's C(templates/kube/*.yml.j2) in name order. An empty list stands for
        none.
      - Empty documents are ignored, so a whole document may stand in an C(if).
    type: list
    elements: str
  definitions:
    description:
      - Objects as dictionaries, or as YAML text.
    type: list
    elements: raw
  manifests:
    description:
      - Files that are applied as they are, for example CRDs. A folder stands for its C(*.yml), C(*.yaml) and
        C(*.json).
    type: list
    elements: dict
    suboptions:
      path:
        description: Path of a file or folder on the controller. A relative one is looked up in the role's files.
        type: str
      url:
        description: URL of a file. It needs O(manifests[].sha256).
        type: str
      sha256:
        description:
          - SHA-256 of the file. Another content is refused. Optional with O(manifests[].path), which must be a file
            then.
        type: str
  prune:
    description:
      - Remove objects that were in the set and are no longer.
      - Removed is only what is in the inventory, is not wanted, carries the set's label, was applied by this set
        and has no
        controller as owner. A CRD goes only when no object of its kind is left.
    type: bool
    default: true
  remove_claims:
    description:
      - Allow PersistentVolumeClaims and PersistentVolumes to be pruned, replaced, and removed by O(state=absent).
      - The same for a StatefulSet that says that Kubernetes shall remove its claims with it, which is refused
        otherwise.
    type: bool
    default: false
  remove_namespaces:
    description:
      - Allow O(state=absent) to remove the namespaces of the set. A namespace that holds or belongs to another set
        stays.
      - One that holds claims, of whomever, stays without O(remove_claims).
    type: bool
    default: false
  force_conflicts:
    description:
      - Take over objects of another set, and fields that another tool applies server-side with another value.
        Without it both are refused, and the message names the other manager.
      - Changes made by hand are set right without this option.
    type: bool
    default: false
  controllers:
    description:
      - Field managers whose fields are left alone, beside those that update objects in a name that says that they
        are a controller, an operator or an autoscaler.
    type: list
    elements: str
    default: []
  not_owned:
    description:
      - Fields that are given when the object is created, and left alone afterwards.
      - An entry about an object that the set does not have is refused.
    type: list
    elements: dict
    suboptions:
      kind:
        description: Kind of the object.
        type: str
        required: true
      name:
        description: Name of the object.
        type: str
        required: true
      namespace:
        description: Namespace of the object. The default is O(namespace).
        type: str
      field:
        description:
          - Path of the field below the object, for example V(spec.serveConfigV2). List items have no path.
        type: str
        required: true
  wait:
    description:
      - Wait until all objects of the set are ready. A wait ends early when a pod cannot get well.
    type: bool
    default: true
  wait_timeout:
    description:
      - Longest wait for readiness or removal, in seconds.
    type: int
    default: 300
  wait_grace:
    description:
      - How long a pod may look sick (image not found, crash loop, unschedulable, mount failed) before the wait
        ends, in seconds.
    type: int
    default: 30
extends_documentation_fragment:
  - mlops.platform.kube_connection
attributes:
  check_mode:
    description: The plan comes from the API server's dry run.
    support: full
  diff_mode:
    description: Values of Secrets are masked.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
notes:
  - A pod template gets the annotation C(mlops.platform/config-hash), a hash of the ConfigMaps and Secrets of the
    set that it
    uses, so that a changed configuration restarts what uses it. The annotation C(mlops.platform/restart=false) on
    a ConfigMap
    or Secret leaves it out of the hash.
  - The annotation C(mlops.platform/replace=true) on an object allows to delete and create it when an immutable
    field changes, and a Job also when it has failed, so that it runs again.
  - A namespace may be part of several sets. It is created with its labels when it is missing, and is never pruned.
  - A field that an autoscaler or another controller of Kubernetes owns is left to it. The result names it in
    RV(left).
seealso:
  - module: mlops.platform.kube_set_info
author:
  - The mlops.platform maintainers (@mlops-platform)
"""

EXAMPLES = r"""
# In a role with templates/kube/*.yml.j2. The connection comes from the host's variables
# cluster_kubeconfig and cluster_server.
- name: Make the cluster equal to the set
  mlops.platform.kube_set:
    name: postgresql
    namespace: "{{ postgresql_namespace }}"
    state: "{{ postgresql_state }}"
    wait_timeout: "{{ postgresql_wait_timeout }}"

- name: Apply the definitions of an operator, and leave one field to somebody else
  mlops.platform.kube_set:
    name: ray
    namespace: mlops
    manifests:
      - url: https://example.com/crds.yaml
        sha256: 0f343b0931126a20f133d67c2b018a3b1e1b3a3e0e9b1b9d5b8b3b7c1a6c9c11
    templates:
      - kube/*.yml.j2
    not_owned:
      - kind: RayService
        name: models
        field: spec.serveConfigV2

- name: Remove the set with its claims
  mlops.platform.kube_set:
    name: postgresql
    namespace: mlops
    state: absent
    remove_claims: true
"""

RETURN = r"""
created:
  description: Objects that were created, as C(Kind namespace/name).
  returned: always
  type: list
  elements: str
  sample: ["Deployment mlops/postgresql"]
configured:
  description: Objects that were changed.
  returned: always
  type: list
  elements: str
replaced:
  description: Objects that were deleted and created, because an immutable field changed.
  returned: always
  type: list
  elements: str
pruned:
  description: Objects that were removed. After a failure also an object whose replacement could not be created.
  returned: always
  type: list
  elements: str
unchanged:
  description: Objects that were as they should be.
  returned: always
  type: list
  elements: str
kept:
  description: Objects that left the set but were not removed, each with the reason.
  returned: always
  type: list
  elements: str
left:
  description: Fields that were left to their controller, each with its name.
  returned: always
  type: list
  elements: str
not_verified:
  description:
    - In check mode, objects whose plan the API server could not verify, because something they need does
      not exist yet.
  returned: always
  type: list
  elements: str
"""
