"""One small example of each kind that the platform uses, with a change of it. NS stands for the test's namespace."""

from __future__ import annotations

import copy
import typing as t

Object = dict[str, t.Any]

RESTRICTED: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
LABELS = {"app": "demo"}


def pod_spec(image: str = "registry.example/pause:1", **more: t.Any) -> Object:
    """A pod specification that uses many of the list and default forms."""
    container: Object = {
        "name": "main",
        "image": image,
        "securityContext": RESTRICTED,
        "env": [
            {"name": "PLAIN", "value": "1"},
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "password"}}},
            {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
        "envFrom": [{"configMapRef": {"name": "settings", "optional": True}}],
        "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 8081, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"cpu": 1, "memory": 2147483648}},
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 3},
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}, {"name": "conf", "mountPath": "/conf"}],
    }
    volumes = [
        {"name": "scratch", "emptyDir": {"sizeLimit": "1024Mi"}},
        {"name": "conf", "configMap": {"name": "settings", "optional": True, "items": [{"key": "a", "path": "a"}]}},
        {
            "name": "token",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"path": "token"}},
                    {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
                ]
            },
        },
    ]
    base: Object = {
        "containers": [container],
        "volumes": volumes,
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": LABELS},
            }
        ],
    }
    return {**copy.deepcopy(base), **more}


def template(**more: t.Any) -> Object:
    """A pod template."""
    return {"metadata": {"labels": dict(LABELS)}, "spec": pod_spec(**more)}


SPECS: dict[str, tuple[Object, Object]] = {}


def example(title: str, obj: Object, change: Object) -> None:
    """Remember an example and what is merged into it for the change."""
    SPECS[title] = (obj, change)


def core(kind: str, name: str, api_version: str = "v1", **fields: t.Any) -> Object:
    """An object without a specification of its own form."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


example("ConfigMap", core("ConfigMap", "settings", data={"a": "1", "gone": "x"}), {"data": {"a": "2", "gone": None}})
example(
    "Secret",
    core("Secret", "credentials", stringData={"password": "first-password"}, data={"key": "YWJj"}),
    {"stringData": {"password": "second-password"}},
)
example(
    "Service",
    core("Service", "web", spec={"selector": LABELS, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}),
    {"spec": {"ports": [{"name": "http", "port": 81, "targetPort": 8080}, {"name": "more", "port": 82}]}},
)
example("ServiceAccount", core("ServiceAccount", "robot"), {"automountServiceAccountToken": False})
example(
    "PersistentVolumeClaim",
    core(
        "PersistentVolumeClaim",
        "data",
        spec={
            "accessModes": ["ReadWriteOncePod"],
            "storageClassName": "none-such",
            "resources": {"requests": {"storage": "1024Mi"}},
        },
    ),
    {"metadata": {"labels": {"tier": "data"}}},
)
example(
    "PersistentVolume",
    core(
        "PersistentVolume",
        "NS",
        spec={
            "capacity": {"storage": "1024Mi"},
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
            "mountOptions": ["nfsvers=4.1", "hard"],
            "nfs": {"server": "storage.example", "path": "/data"},
        },
    ),
    {"spec": {"mountOptions": ["nfsvers=4.2", "hard"]}},
)
example(
    "Deployment",
    core(
        "Deployment",
        "web",
        "apps/v1",
        spec={
            "replicas": 0,
            "selector": {"matchLabels": LABELS},
            "template": template(),
            "strategy": {"type": "Recreate"},
        },
    ),
    {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5, "tolerations": None}}}},
)
example(
    "StatefulSet",
    core(
        "StatefulSet",
        "db",
        "apps/v1",
        spec={"replicas": 0, "serviceName": "db", "selector": {"matchLabels": LABELS}, "template": template()},
    ),
    {"spec": {"template": {"metadata": {"annotations": {"note": "changed"}}}}},
)
example(
    "DaemonSet",
    core(
        "DaemonSet",
        "agent",
        "apps/v1",
        spec={"selector": {"matchLabels": LABELS}, "template": template(nodeSelector={"none": "such"})},
    ),
    {"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": "50%"}}}},
)
example(
    "Job",
    core("Job", "task", "batch/v1", spec={"suspend": True, "template": {"spec": pod_spec(restartPolicy="Never")}}),
    {"spec": {"ttlSecondsAfterFinished": 60}},
)
example(
    "CronJob",
    core(
        "CronJob",
        "nightly",
        "batch/v1",
        spec={
            "schedule": "0 3 * * *",
            "suspend": True,
            "jobTemplate": {"spec": {"template": {"spec": pod_spec(restartPolicy="OnFailure")}}},
        },
    ),
    {"spec": {"schedule": "30 3 * * *", "successfulJobsHistoryLimit": 1}},
)
example(
    "Pod",
    core("Pod", "single", spec=pod_spec(nodeSelector={"none": "such"}, terminationGracePeriodSeconds=0)),
    {"metadata": {"annotations": {"note": "changed"}}},
)
example(
    "Role",
    core(
        "Role",
        "reader",
        "rbac.authorization.k8s.io/v1",
        rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
    ),
    {"rules": [{"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get"]}]},
)
example(
    "RoleBinding",
    core(
        "RoleBinding",
        "reader",
        "rbac.authorization.k8s.io/v1",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        subjects=[{"kind": "ServiceAccount", "name": "robot", "namespace": "NS"}],
    ),
    {"subjects": [{"kind": "User", "name": "ana", "apiGroup": "rbac.authorization.k8s.io"}]},
)
example(
    "ClusterRole",
    core(
        "ClusterRole",
        "NS",
        "rbac.authorization.k8s.io/v1",
        rules=[{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"], "resourceNames": ["none"]}],
    ),
    {"rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]},
)
example(
    "ClusterRoleBinding",
    core(
        "ClusterRoleBinding",
        "NS",
        "rbac.authorization.k8s.io/v1",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "NS"},
        subjects=[{"kind": "ServiceAccount", "name": "robot", "namespace": "NS"}],
    ),
    {"subjects": []},
)
example(
    "NetworkPolicy",
    core(
        "NetworkPolicy",
        "web",
        "networking.k8s.io/v1",
        spec={
            "podSelector": {"matchLabels": LABELS},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": 8080}], "from": [{"podSelector": {}}]}],
        },
    ),
    {"spec": {"ingress": [{"ports": [{"port": "http", "protocol": "TCP"}]}]}},
)
example(
    "Ingress",
    core(
        "Ingress",
        "web",
        "networking.k8s.io/v1",
        spec={
            "rules": [
                {
                    "host": "web.example",
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "web", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ]
        },
    ),
    {"spec": {"ingressClassName": "other"}},
)
example(
    "PodDisruptionBudget",
    core(
        "PodDisruptionBudget",
        "web",
        "policy/v1",
        spec={"minAvailable": 1, "selector": {"matchLabels": LABELS}},
    ),
    {"spec": {"minAvailable": "50%"}},
)
example(
    "HorizontalPodAutoscaler",
    core(
        "HorizontalPodAutoscaler",
        "web",
        "autoscaling/v2",
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 3,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                }
            ],
        },
    ),
    {"spec": {"maxReplicas": 5}},
)
example(
    "ResourceQuota",
    core("ResourceQuota", "limits", spec={"hard": {"requests.cpu": "4000m", "pods": "10"}}),
    {"spec": {"hard": {"pods": "20"}}},
)
example(
    "LimitRange",
    core(
        "LimitRange",
        "limits",
        spec={"limits": [{"type": "Container", "default": {"cpu": "500m"}, "max": {"cpu": "2000m"}}]},
    ),
    {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}},
)
example(
    "StorageClass",
    core(
        "StorageClass",
        "NS",
        "storage.k8s.io/v1",
        provisioner="nfs.csi.k8s.io",
        parameters={"server": "storage.example", "share": "/data", "subDir": "data", "onDelete": "retain"},
        reclaimPolicy="Retain",
        mountOptions=["nfsvers=4.1", "hard"],
    ),
    {"allowVolumeExpansion": True},
)
example(
    "CSIDriver",
    core(
        "CSIDriver",
        "NS.example",
        "storage.k8s.io/v1",
        spec={"attachRequired": False, "volumeLifecycleModes": ["Persistent"], "fsGroupPolicy": "File"},
    ),
    {"metadata": {"annotations": {"note": "changed"}}},
)
example(
    "PriorityClass",
    core("PriorityClass", "NS", "scheduling.k8s.io/v1", value=1000, description="first"),
    {"description": "second"},
)
example(
    "ValidatingAdmissionPolicy",
    core(
        "ValidatingAdmissionPolicy",
        "NS",
        "admissionregistration.k8s.io/v1",
        spec={
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["persistentvolumeclaims"],
                    }
                ]
            },
            "validations": [{"expression": "true", "message": "first"}],
        },
    ),
    {"spec": {"validations": [{"expression": "true", "message": "second"}]}},
)
example(
    "ValidatingAdmissionPolicyBinding",
    core(
        "ValidatingAdmissionPolicyBinding",
        "NS",
        "admissionregistration.k8s.io/v1",
        spec={
            "policyName": "NS",
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"none": "such"}}},
        },
    ),
    {"spec": {"validationActions": ["Warn"]}},
)
example(
    "ValidatingWebhookConfiguration",
    core(
        "ValidatingWebhookConfiguration",
        "NS",
        "admissionregistration.k8s.io/v1",
        webhooks=[
            {
                "name": "check.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "clientConfig": {"service": {"name": "hook", "namespace": "NS"}},
                "namespaceSelector": {"matchLabels": {"none": "such"}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            }
        ],
    ),
    {"metadata": {"labels": {"changed": "yes"}}},
)
example(
    "CustomResourceDefinition",
    core(
        "CustomResourceDefinition",
        "things.NS.example",
        "apiextensions.k8s.io/v1",
        spec={
            "group": "NS.example",
            "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing", "singular": "thing", "listKind": "ThingList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                        }
                    },
                }
            ],
        },
    ),
    {"spec": {"names": {"shortNames": ["tg"]}}},
)


def ray_group(container: str, resources: Object, **more: t.Any) -> Object:
    """A group of a Ray cluster. A custom kind keeps quantities and numbers as they were written."""
    main = {"name": container, "image": "registry.example/ray:1", "resources": resources, "securityContext": RESTRICTED}
    return {"rayStartParams": {"num-cpus": "0"}, "template": {"spec": {"containers": [main]}}, **more}


example(
    "RayService",
    core(
        "RayService",
        "ray",
        "ray.io/v1",
        spec={
            "upgradeStrategy": {"type": "NewCluster"},
            "serveConfigV2": "applications: []\n",
            "rayClusterConfig": {
                "rayVersion": "2.0.0",
                "headGroupSpec": ray_group("ray-head", {"limits": {"cpu": 1, "memory": "1024Mi"}}),
                "workerGroupSpecs": [
                    ray_group(
                        "ray-worker",
                        {"limits": {"cpu": "1000m", "memory": 2147483648}},
                        groupName="workers",
                        replicas=1,
                        minReplicas=1,
                        maxReplicas=2,
                    )
                ],
            },
        },
    ),
    {
        "spec": {
            "rayClusterConfig": {"headGroupSpec": {"rayStartParams": {"num-cpus": "1"}}},
            "rayClusterDeletionDelaySeconds": 60,
        }
    },
)


def merged(base: t.Any, change: t.Any) -> t.Any:
    """The value with a change merged in; None removes."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return copy.deepcopy(change)
    result = dict(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(base.get(key, {}), value)
    return result


def located(value: t.Any, namespace: str) -> t.Any:
    """The value with the namespace's name in the place of NS."""
    if isinstance(value, dict):
        return {key: located(item, namespace) for key, item in value.items()}
    if isinstance(value, list):
        return [located(item, namespace) for item in value]
    return value.replace("NS", namespace) if isinstance(value, str) else value


def before(title: str, namespace: str) -> Object:
    """The example."""
    return t.cast(Object, located(copy.deepcopy(SPECS[title][0]), namespace))


def after(title: str, namespace: str) -> Object:
    """The example with its change."""
    return t.cast(Object, located(merged(SPECS[title][0], SPECS[title][1]), namespace))
