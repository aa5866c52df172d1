"""Every check finds what it is there for, in objects that are otherwise right."""

import copy
import sys
from collections.abc import Callable
from typing import Any

import pytest

from composer.graph import Graph
from orchestrator.errors import RenderError
from orchestrator.profiles import Profile
from orchestrator.render import RenderOptions, render
from orchestrator.render.checks import (
    Reference,
    check,
    external_objects,
    require_valid,
    schema,
)
from tests.orchestrator.render.conftest import one

Object = dict[str, Any]
Break = Callable[[list[Object]], None]


@pytest.fixture
def objects(make_graph: Callable[..., Graph], creodias: Profile) -> list[Object]:
    graph = make_graph(chart="viewer", clean={"replicas": 2})
    return copy.deepcopy(list(render(graph, creodias, RenderOptions(namespace="eo"))))


@pytest.fixture
def external(creodias: Profile) -> frozenset[Reference]:
    return external_objects(creodias)


def deployment(objects: list[Object]) -> Object:
    return one(tuple(objects), "Deployment", "forest--clean")


def pod(objects: list[Object]) -> Object:
    found: Object = deployment(objects)["spec"]["template"]["spec"]
    return found


def component(objects: list[Object]) -> Object:
    found: Object = pod(objects)["containers"][0]
    return found


def service(objects: list[Object]) -> Object:
    return one(tuple(objects), "Service", "forest--clean")


def policy(objects: list[Object], name: str) -> Object:
    return one(tuple(objects), "NetworkPolicy", f"forest--{name}")


def autoscaler(objects: list[Object], target: str) -> None:
    metadata = {"name": "auto", "namespace": "eo"}
    spec = {
        "maxReplicas": 2,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
    }
    kind = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}
    objects.append(kind | {"metadata": metadata, "spec": spec})


BREAKS: dict[str, tuple[Break, str]] = {
    # fields and types
    "unknown field": (
        lambda o: component(o).update(imagePullPolcy="Always"),
        "containers[0]: Additional properties are not allowed ('imagePullPolcy'",
    ),
    "wrong type": (
        lambda o: deployment(o)["spec"].update(replicas="2"),
        "Deployment forest--clean, spec.replicas: '2' is not of type",
    ),
    "missing field": (lambda o: component(o).pop("name"), "'name' is a required property"),
    "unknown kind": (
        lambda o: o[0].update(kind="ConfigMapp"),
        "Kubernetes 1.36 has no ConfigMapp in v1",
    ),
    "no name": (lambda o: o[0]["metadata"].pop("name"), "metadata.name: is missing"),
    "no kind": (lambda o: o[0].pop("kind"), "has no kind and apiVersion"),
    # names and labels
    "name in capitals": (
        lambda o: deployment(o)["metadata"].update(name="Forest"),
        "metadata.name: is not a DNS label",
    ),
    "name too long": (
        lambda o: deployment(o)["metadata"].update(name="a" * 64),
        "metadata.name: is not a DNS label of at most 63",
    ),
    "service begins with a digit": (
        lambda o: service(o)["metadata"].update(name="1st"),
        "Service 1st, metadata.name: is not a DNS label that begins with a letter",
    ),
    "label value too long": (
        lambda o: deployment(o)["metadata"]["labels"].update(x="a" * 64),
        "metadata.labels: x: ",
    ),
    "label value with a slash": (
        lambda o: deployment(o)["spec"]["template"]["metadata"]["labels"].update(x="a/b"),
        "spec.template.metadata.labels: x: 'a/b' is not a value",
    ),
    "label key": (
        lambda o: deployment(o)["metadata"]["labels"].update({"a b": "c"}),
        "'a b' is not a key",
    ),
    "annotation key": (
        lambda o: o[0]["metadata"]["annotations"].update({"A_/b": "c"}),
        "'A_/b' is not a key",
    ),
    "twice": (lambda o: o.append(copy.deepcopy(service(o))), "is there 2 times"),
    "container twice": (
        lambda o: pod(o)["containers"].append(copy.deepcopy(component(o))),
        "'component' is there 2 times",
    ),
    "port's name": (
        lambda o: component(o)["ports"][0].update(name="a-much-too-long-name"),
        "is not a name of a port",
    ),
    # values
    "quantity": (
        lambda o: component(o)["resources"]["requests"].update(memory="2GB"),
        "'2GB' is not a quantity",
    ),
    "quantity of scratch": (
        lambda o: pod(o)["volumes"][1]["emptyDir"].update(sizeLimit="lots"),
        "'lots' is not a quantity",
    ),
    "more asked for than allowed": (
        lambda o: component(o)["resources"]["requests"].update(memory="64Gi"),
        "memory: 64Gi is asked for, but 1Gi the most",
    ),
    "GPU without limit": (
        lambda o: component(o)["resources"]["requests"].update({"nvidia.com/gpu": "1"}),
        "nvidia.com/gpu: what is asked for must equal the limit",
    ),
    "port": (
        lambda o: component(o)["ports"][0].update(containerPort=70_000),
        "70000 is not a port",
    ),
    "CIDR": (
        lambda o: policy(o, "data")["spec"]["egress"][0]["to"][0]["ipBlock"].update(
            cidr="10.0.0.1/8"
        ),
        "10.0.0.1/8 has host bits set",
    ),
    "exception outside its range": (
        lambda o: policy(o, "data")["spec"]["egress"][0]["to"][0]["ipBlock"].update(
            {"except": ["192.168.0.0/16"]}
        ),
        "192.168.0.0/16 is not a part of 10.97.0.0/16",
    ),
    # selectors
    "selector and labels differ": (
        lambda o: deployment(o)["spec"]["template"]["metadata"]["labels"].update(
            {"eoloom.org/node": "cleen"}
        ),
        "Deployment forest--clean, spec.selector: does not meet the labels of its own pods",
    ),
    "selector meets the pods of another": (
        lambda o: deployment(o)["spec"]["selector"]["matchLabels"].pop("eoloom.org/node"),
        "spec.selector: meets the pods of Deployment forest--scenes too",
    ),
    "service selects nobody": (
        lambda o: service(o)["spec"]["selector"].update({"eoloom.org/node": "x"}),
        "Service forest--clean, spec.selector: meets no pod",
    ),
    "service's port without listener": (
        lambda o: service(o)["spec"]["ports"][0].update(targetPort="http"),
        "spec.ports[0].targetPort: Deployment forest--clean has no port http",
    ),
    "probe of a port that nobody opens": (
        lambda o: component(o)["readinessProbe"]["grpc"].update(port=8060),
        "readinessProbe.grpc.port: the container has no port 8060",
    ),
    "policy for nobody": (
        lambda o: policy(o, "dns")["spec"]["podSelector"]["matchLabels"].update(a="b"),
        "NetworkPolicy forest--dns, spec.podSelector: meets no pod",
    ),
    "policy names a node that is not there": (
        lambda o: policy(o, "data")["spec"]["podSelector"]["matchExpressions"][0]["values"].append(
            "gone"
        ),
        "'gone' meets no pod",
    ),
    "policy lets nobody in": (
        lambda o: policy(o, "calls")["spec"]["ingress"][0]["from"][0]["podSelector"].update(
            matchLabels={"a": "b"}
        ),
        "spec.ingress[0].from[0]: meets no pod",
    ),
    "disruption budget for nobody": (
        lambda o: one(tuple(o), "PodDisruptionBudget")["spec"]["selector"].update(
            matchLabels={"a": "b"}
        ),
        "PodDisruptionBudget forest--clean, spec.selector: meets no pod",
    ),
    "spread over other pods": (
        lambda o: pod(o)["topologySpreadConstraints"][0].update(
            labelSelector={"matchLabels": {"a": "b"}}
        ),
        "topologySpreadConstraints[0].labelSelector: does not meet",
    ),
    "autoscaler of nothing": (
        lambda o: autoscaler(o, "forest--gone"),
        "there is no Deployment forest--gone",
    ),
    "autoscaler and replicas": (
        lambda o: autoscaler(o, "forest--clean"),
        "Deployment forest--clean has spec.replicas, which is undone",
    ),
    # references
    "service account": (
        lambda o: pod(o).update(serviceAccountName="gone"),
        "spec.template.spec.serviceAccountName: there is no ServiceAccount gone",
    ),
    "claim": (
        lambda o: pod(o)["volumes"][0]["persistentVolumeClaim"].update(claimName="gone"),
        "there is no PersistentVolumeClaim gone",
    ),
    "config map": (
        lambda o: component(o).update(envFrom=[{"configMapRef": {"name": "gone"}}]),
        "containers[0].envFrom[0]: there is no ConfigMap gone",
    ),
    "key of a config map": (
        lambda o: component(o)["env"].append(
            {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "forest", "key": "gone"}}}
        ),
        "ConfigMap forest has no key 'gone'",
    ),
    "secret": (
        lambda o: component(o).update(envFrom=[{"secretRef": {"name": "gone"}}]),
        "there is no Secret gone",
    ),
    "pull secret": (
        lambda o: pod(o).update(imagePullSecrets=[{"name": "gone"}]),
        "spec.template.spec.imagePullSecrets: there is no Secret gone",
    ),
    "priority class": (
        lambda o: pod(o).update(priorityClassName="urgent"),
        "there is no PriorityClass urgent",
    ),
    "mount without volume": (
        lambda o: component(o)["volumeMounts"][0].update(name="gone"),
        "the pod has no volume 'gone'",
    ),
    "volume that nobody mounts": (
        lambda o: pod(o)["volumes"].append({"name": "idle", "emptyDir": {}}),
        "nobody mounts 'idle'",
    ),
    # Pod Security
    "host network": (lambda o: pod(o).update(hostNetwork=True), "spec.template.spec.hostNetwork"),
    "host path": (
        lambda o: pod(o)["volumes"].__setitem__(1, {"name": "scratch", "hostPath": {"path": "/"}}),
        "volumes[1]: hostPath is not allowed",
    ),
    "sysctl": (
        lambda o: pod(o)["securityContext"].update(sysctls=[{"name": "kernel.x", "value": "1"}]),
        "kernel.x is not allowed",
    ),
    "root": (
        lambda o: component(o)["securityContext"].update(runAsUser=0),
        "containers[0].securityContext.runAsUser: is root",
    ),
    "may be root": (
        lambda o: (
            pod(o)["securityContext"].pop("runAsNonRoot"),
            component(o)["securityContext"].pop("runAsNonRoot"),
        ),
        "containers[0].securityContext.runAsNonRoot: must be true, here or for the pod",
    ),
    "says that it may be root": (
        lambda o: component(o)["securityContext"].update(runAsNonRoot=False),
        "runAsNonRoot: must be true",
    ),
    "privileged": (
        lambda o: component(o)["securityContext"].update(privileged=True),
        "is privileged",
    ),
    "escalation": (
        lambda o: component(o)["securityContext"].pop("allowPrivilegeEscalation"),
        "allowPrivilegeEscalation: must be false",
    ),
    "init container": (
        lambda o: pod(o)["initContainers"][0].pop("securityContext"),
        "initContainers[0].securityContext.capabilities.drop: must have ALL",
    ),
    "capabilities kept": (
        lambda o: component(o)["securityContext"].pop("capabilities"),
        "capabilities.drop: must have ALL",
    ),
    "capability added": (
        lambda o: component(o)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
        "SYS_ADMIN is not allowed",
    ),
    "no seccomp": (
        lambda o: pod(o)["securityContext"].pop("seccompProfile"),
        "seccompProfile: must be RuntimeDefault",
    ),
    "unconfined": (
        lambda o: component(o)["securityContext"].update(seccompProfile={"type": "Unconfined"}),
        "seccompProfile: must be RuntimeDefault",
    ),
    "AppArmor": (
        lambda o: pod(o)["securityContext"].update(appArmorProfile={"type": "Unconfined"}),
        "appArmorProfile: must be RuntimeDefault",
    ),
    "SELinux": (
        lambda o: pod(o)["securityContext"].update(seLinuxOptions={"type": "spc_t"}),
        "seLinuxOptions: is not allowed",
    ),
    "proc": (
        lambda o: component(o)["securityContext"].update(procMount="Unmasked"),
        "procMount: must be Default",
    ),
    "host process": (
        lambda o: pod(o)["securityContext"].update(windowsOptions={"hostProcess": True}),
        "windowsOptions: is a process of the machine",
    ),
    "port of the machine": (
        lambda o: component(o)["ports"][0].update(hostPort=8061),
        "takes port 8061 of the machine",
    ),
    "probe of another host": (
        lambda o: component(o).update(
            readinessProbe={"tcpSocket": {"host": "other.example", "port": 8061}}
        ),
        "readinessProbe.tcpSocket.host: names another host",
    ),
}


def test_what_is_rendered_has_no_findings(objects: list[Object], external: frozenset[Reference]):
    assert check(objects, external=external) == ()


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_found(name: str, objects: list[Object], external: frozenset[Reference]):
    damage, told = BREAKS[name]
    damage(objects)
    findings = [str(finding) for finding in check(objects, external=external)]
    assert [finding for finding in findings if told in finding], findings


def test_what_exists_already_has_to_be_said(objects: list[Object]):
    findings = {str(finding).partition(": ")[2] for finding in check(objects)}
    assert findings == {"there is no Secret eodata", "there is no Secret registry"}


def test_a_role_binding_needs_its_role_and_account():
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "b", "namespace": "eo"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": "other"}],
    }
    findings = [str(finding) for finding in check([binding])]
    assert findings == [
        "RoleBinding b, roleRef: there is no Role r",
        "RoleBinding b, subjects[0]: there is no ServiceAccount s",
    ]
    known = [Reference("Role", "r", "eo"), Reference("ServiceAccount", "s", "other")]
    assert check([binding], external=known) == ()


def test_an_ingress_needs_its_service_and_certificate():
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "i"},
        "spec": {
            "tls": [{"hosts": ["a.example"], "secretName": "cert"}],
            "rules": [
                {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
            ],
        },
    }
    told = {str(finding).partition(": ")[2] for finding in check([ingress])}
    assert told == {"there is no Secret cert", "there is no Service web"}


def test_an_error_tells_the_first_findings_and_how_many_more(objects: list[Object]):
    for item in objects:
        item["metadata"]["labels"]["x"] = "a/b"
        item["metadata"]["labels"]["y"] = "a/b"
    with pytest.raises(RenderError, match=r"would not work in a cluster:(.|\n)*and \d+ more"):
        require_valid(objects)


def test_a_version_without_schemas_is_refused_with_those_there_are(objects: list[Object]):
    with pytest.raises(RenderError, match=r"Kubernetes '1\.99' .* only those of .*1\.36.*: set"):
        check(objects, version="1.99")


def test_without_the_schemas_the_extra_is_named(
    objects: list[Object], monkeypatch: pytest.MonkeyPatch
):
    schema._validator.cache_clear()
    monkeypatch.setitem(sys.modules, "kubernetes_validate", None)
    with pytest.raises(RenderError, match=r"eoloom\[k8s\]"):
        check(objects)
