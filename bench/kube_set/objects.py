"""The objects of the benchmark: 100 of 12 kinds in 8 namespaces, as a role's templates and as one file."""

from __future__ import annotations

import typing as t

Object = dict[str, t.Any]
NAMESPACES = 8
COUNTS = {
    "ConfigMap": 20,
    "Secret": 12,
    "Service": 12,
    "ServiceAccount": 8,
    "Role": 8,
    "RoleBinding": 8,
    "Deployment": 8,
    "NetworkPolicy": 6,
    "PodDisruptionBudget": 4,
    "CronJob": 4,
    "ResourceQuota": 2,
}
VERSIONS = {
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "Deployment": "apps/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "CronJob": "batch/v1",
}
RBAC = "rbac.authorization.k8s.io"


def container(number: int) -> Object:
    """A container with the fields that a real one has."""
    return {
        "name": "main",
        "image": "registry.example/app:1.0",
        "args": ["--number", str(number)],
        "env": [{"name": f"VARIABLE_{index}", "value": f"value {index}"} for index in range(8)],
        "envFrom": [{"configMapRef": {"name": f"configmap-{number}"}}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }


def pod(number: int, **more: t.Any) -> Object:
    """A pod specification."""
    return {"containers": [container(number)], "volumes": [{"name": "scratch", "emptyDir": {}}], **more}


def body(kind: str, number: int, changed: str) -> Object:
    """What an object of a kind holds beside its name."""
    app = {"app": f"app-{number}"}
    texts = {f"key-{index}": f"line {index} of {number} " * 6 for index in range(10)}
    bodies: dict[str, Object] = {
        "ConfigMap": {"data": {**texts, "changed": changed if number == 0 else "never"}},
        "Secret": {"stringData": {f"password-{index}": f"secret {index} of {number}" for index in range(4)}},
        # Without an address: twenty hosts would take all that the lab has.
        "Service": {"spec": {"clusterIP": "None", "selector": app, "ports": [{"port": 80, "targetPort": "http"}]}},
        "ServiceAccount": {"automountServiceAccountToken": False},
        "Role": {"rules": [{"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list", "watch"]}]},
        "RoleBinding": {
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": f"role-{number}"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "ana"}],
        },
        "Deployment": {
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": app},
                "template": {"metadata": {"labels": app}, "spec": pod(number)},
            }
        },
        "NetworkPolicy": {"spec": {"podSelector": {"matchLabels": app}, "policyTypes": ["Ingress"], "ingress": [{}]}},
        "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": {"matchLabels": app}}},
        "CronJob": {
            "spec": {
                "schedule": "0 3 * * *",
                "suspend": True,
                "jobTemplate": {"spec": {"template": {"spec": pod(number, restartPolicy="Never")}}},
            }
        },
        "ResourceQuota": {"spec": {"hard": {"pods": "10"}}},
    }
    return bodies[kind]


def namespaces(prefix: str) -> list[str]:
    """The namespaces of one tool."""
    return [f"{prefix}-{number}" for number in range(NAMESPACES)]


def objects(prefix: str, changed: str = "no") -> dict[str, list[Object]]:
    """All objects by kind. `changed` is the value of the one field that a change touches."""
    places = namespaces(prefix)
    found = {"Namespace": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in places]}
    for kind, count in COUNTS.items():
        found[kind] = [
            {
                "apiVersion": VERSIONS.get(kind, "v1"),
                "kind": kind,
                "metadata": {"name": f"{kind.lower()}-{number}", "namespace": places[number % NAMESPACES]},
                **body(kind, number, changed),
            }
            for number in range(count)
        ]
    return found
