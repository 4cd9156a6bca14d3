"""Which fields an object of Compose or Kubernetes may have here, and what kind of value: what a typing error breaks.

Of the published schemas only what this project uses: unknown fields, which Kubernetes drops in silence, are faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

TEXT, NUMBER, SWITCH, ANY = str, int, bool, object
LABELS = {"*": TEXT}
META = {"name": TEXT, "labels?": LABELS, "annotations?": LABELS}
RESOURCES = {"cpu": TEXT, "memory": TEXT, "ephemeral-storage?": TEXT}
PROBE = {
    "httpGet": {"path": TEXT, "port": TEXT, "httpHeaders?": [{"name": TEXT, "value": TEXT}]},
    "periodSeconds": NUMBER, "timeoutSeconds?": NUMBER, "failureThreshold": NUMBER,
}  # fmt: skip
CONTAINER = {
    "name": TEXT, "image": TEXT, "imagePullPolicy?": TEXT,
    "ports": [{"name": TEXT, "containerPort": NUMBER}],
    "env": [{"name": TEXT, "value": TEXT}],
    "resources": {"requests": RESOURCES, "limits": RESOURCES},
    "securityContext": {
        "allowPrivilegeEscalation": SWITCH, "readOnlyRootFilesystem": SWITCH, "privileged": SWITCH,
        "capabilities": {"drop": [TEXT]},
    },
    "startupProbe": PROBE, "readinessProbe": PROBE, "livenessProbe": PROBE,
    "lifecycle": {"preStop": {"exec": {"command": [TEXT]}}},
    "volumeMounts": [{"name": TEXT, "mountPath": TEXT}],
}  # fmt: skip
POD = {
    "automountServiceAccountToken": SWITCH, "enableServiceLinks?": SWITCH, "terminationGracePeriodSeconds": NUMBER,
    "securityContext": {
        "runAsNonRoot": SWITCH, "runAsUser": NUMBER, "runAsGroup": NUMBER, "fsGroup": NUMBER,
        "seccompProfile": {"type": TEXT},
    },
    "containers": [CONTAINER],
    "volumes": [{"name": TEXT, "emptyDir": {"medium": TEXT, "sizeLimit": TEXT}}],
}  # fmt: skip
KINDS = {
    ("apps/v1", "Deployment"): {
        "replicas": NUMBER,
        "selector": {"matchLabels": LABELS},
        "strategy": {"type": TEXT, "rollingUpdate": {"maxUnavailable": NUMBER, "maxSurge": NUMBER}},
        "template": {"metadata": {"labels": LABELS}, "spec": POD},
    },
    ("v1", "Service"): {
        "type": TEXT, "selector": LABELS, "ports": [{"name": TEXT, "port": NUMBER, "targetPort": TEXT}],
    },
    ("networking.k8s.io/v1", "Ingress"): {
        "ingressClassName?": TEXT,
        "tls": [{"hosts": [TEXT], "secretName": TEXT}],
        "rules": [{"host": TEXT, "http": {"paths": [{
            "path": TEXT, "pathType": TEXT, "backend": {"service": {"name": TEXT, "port": {"name": TEXT}}},
        }]}}],
    },
    ("networking.k8s.io/v1", "NetworkPolicy"): {
        "podSelector": {"matchLabels": LABELS}, "policyTypes": [TEXT],
        "ingress": [{"ports": [{"protocol": TEXT, "port": NUMBER}]}], "egress": [ANY],
    },
    ("policy/v1", "PodDisruptionBudget"): {"minAvailable": NUMBER, "selector": {"matchLabels": LABELS}},
}  # fmt: skip
"""The `spec` of each kind; a name with a question mark may be missing, `*` is any name."""

COMPOSE_SERVICE = {
    "image": TEXT, "build?": TEXT, "user?": TEXT, "read_only": SWITCH, "tmpfs?": [TEXT], "cap_drop": [TEXT],
    "security_opt": [TEXT], "cpus": NUMBER, "mem_limit": TEXT, "pids_limit": NUMBER, "environment?": LABELS,
    "networks": [TEXT], "restart": TEXT, "stop_grace_period?": TEXT, "volumes?": [TEXT], "ports?": [TEXT],
    "depends_on?": [TEXT],
}  # fmt: skip
COMPOSE = {
    "name": TEXT, "x-app?": ANY, "services": {"*": COMPOSE_SERVICE},
    "networks": {"*": {"internal?": SWITCH, "ipam?": {"config": [{"subnet": TEXT}]}}},
}  # fmt: skip


def misfits(value: Any, shape: Any, place: str = "") -> Iterator[str]:
    """Where a value is not of its shape, in words."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            yield f"{place}: {value!r} is no object"
            return
        names = {name.removesuffix("?"): name for name in shape}
        for name in value:
            if name not in names and "*" not in names:
                yield f"{place}.{name}: unknown"
        for name, key in names.items():
            if name == "*":
                for other in value:
                    yield from misfits(value[other], shape[key], f"{place}.{other}")
            elif name in value:
                yield from misfits(value[name], shape[key], f"{place}.{name}")
            elif not key.endswith("?"):
                yield f"{place}.{name}: missing"
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{place}: {value!r} is no list"
            return
        for number, one in enumerate(value):
            yield from misfits(one, shape[0], f"{place}[{number}]")
    elif shape is not ANY and (not isinstance(value, shape) or (shape is NUMBER and isinstance(value, bool))):
        yield f"{place}: {value!r} is no {shape.__name__}"
