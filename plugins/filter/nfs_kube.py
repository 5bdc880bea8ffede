# Copyright: the mlops.platform maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The storage layout as Kubernetes objects."""

from __future__ import annotations

import typing as t

PROVISIONER = "nfs.csi.k8s.io"
POLICY = "mlops-claims"
# The annotation is the class's older place; Kubernetes still prefers it.
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
CLASS = (
    f"has(object.metadata.annotations) && '{OLD_CLASS}' in object.metadata.annotations"
    f" ? object.metadata.annotations['{OLD_CLASS}']"
    " : (has(object.spec.storageClassName) ? object.spec.storageClassName : '')"
)
Row = t.Mapping[str, t.Any]
Object = dict[str, t.Any]


def nfs_storage_classes(
    layout: t.Mapping[str, Row], labels: t.Mapping[str, str] | None = None, expansion: bool = True
) -> list[Object]:
    """One StorageClass for each component that has a folder."""
    return [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": row["storage_class"],
                # Everything but this is immutable in a StorageClass, and volumes keep what they were made with.
                "annotations": {"mlops.platform/replace": "true"},
                **({"labels": dict(labels)} if labels else {}),
            },
            "provisioner": PROVISIONER,
            "parameters": {
                "server": row["server"],
                "share": row["share"],
                "subDir": row["subdir"],
                "onDelete": "retain",
            },
            "reclaimPolicy": "Retain",
            "volumeBindingMode": "Immediate",
            "allowVolumeExpansion": expansion,
            "mountOptions": list(row["mount_options"]),
        }
        for row in _with_folder(layout)
    ]


def nfs_claim_policy(layout: t.Mapping[str, Row], namespace: str) -> list[Object]:
    """The policy that admits a component's StorageClass for its own claim only, and its binding."""
    rows = _with_folder(layout)
    allowed = " : ".join(
        f"variables.class == '{row['storage_class']}' ? {_is(row['claim'], namespace)}" for row in rows
    )
    owners = ", ".join(f"'{row['storage_class']}': '{namespace}/{row['claim']}'" for row in rows)
    message = (
        "'StorageClass ' + variables.class + ' is for the claim ' + variables.owners[variables.class] + ' alone: "
        "two claims would share its folder; name another StorageClass'"
    )
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": POLICY},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {
                    "resourceRules": [
                        {
                            "apiGroups": [""],
                            "apiVersions": ["v1"],
                            "operations": ["CREATE", "UPDATE"],
                            "resources": ["persistentvolumeclaims"],
                        }
                    ]
                },
                # A claim that is being removed must be let go, wherever it is.
                "matchConditions": [{"name": "lives", "expression": "!has(object.metadata.deletionTimestamp)"}],
                "variables": [
                    {"name": "class", "expression": CLASS},
                    {"name": "owners", "expression": "{" + owners + "}"},
                ],
                "validations": [
                    {"expression": f"{allowed} : true", "messageExpression": message, "reason": "Forbidden"}
                ],
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": POLICY},
            "spec": {"policyName": POLICY, "validationActions": ["Deny"]},
        },
    ]


def _is(claim: str, namespace: str) -> str:
    start = claim[:-1] if claim.endswith("*") else None
    name = f"object.metadata.name == '{claim}'" if start is None else f"object.metadata.name.startsWith('{start}')"
    return f"(object.metadata.namespace == '{namespace}' && {name})"


def _with_folder(layout: t.Mapping[str, Row]) -> list[Row]:
    return [row for row in layout.values() if row.get("folder")]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Names and functions."""
        return {
            "nfs_storage_classes": nfs_storage_classes,
            "nfs_claim_policy": nfs_claim_policy,
        }
