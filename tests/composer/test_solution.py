import io
import json
import zipfile

import pytest
import yaml

from composer.archive import MAX_ARCHIVE_BYTES, MAX_FILES
from composer.errors import SolutionError
from composer.graph import compose
from composer.onboarding import onboard
from composer.pipeline_file import parse_pipeline
from composer.registry import Registry
from composer.solution import (
    export_model,
    export_solution,
    import_solution,
)
from tests.composer.fakes import Shelf, put_usual_components
from tests.composer.solutions import SOLVER, blueprint, game, node, operation

CONTRACT = """
syntax = "proto3";
message Nothing {}
message Word { string text = 1; int32 count = 2; }
message Pair { Word left = 1; Word right = 2; repeated string tags = 3; double weight = 4; }
service Text {
  rpc single(Nothing) returns (Word);
  rpc join(Pair) returns (Pair);
  rpc show(Word) returns (Nothing);
}
"""
PIPELINE = """
name: words
nodes:
  a: {component: text, shared_folder: /data/x}
  b: {component: text, values: {join: {weight: 2.5}}, on_error: skip}
  c: {component: text}
links: [a.single -> b.join.left, a.single.text -> b.join.tags, b.join.left -> c.show]
"""


def packed(files: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def files_of(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry([onboard("registry.example/text:1", CONTRACT, name="text", licence="MIT")])


@pytest.fixture(scope="module")
def solution(registry: Registry) -> bytes:
    return export_solution(compose(parse_pipeline(PIPELINE), registry)).content


def test_the_layout_is_that_of_the_original(solution: bytes) -> None:
    assert sorted(files_of(solution)) == [
        "blueprint.json",
        "deployment-readme.txt",
        *sorted(
            f"deployments/{name}_{kind}.yaml"
            for name in ("a", "b", "c", "orchestrator")
            for kind in ("deployment", "service")
        ),
        "deployments/pvc.yaml",
        "dockerinfo.json",
        "kubernetes-client-script.py",
        "microservice/a.proto",
        "microservice/b.proto",
        "microservice/c.proto",
        "orchestrator_client/orchestrator_client.py",
        "protobuf/orchestrator.proto",
        "requirements.txt",
    ]


def test_what_is_exported_is_imported_as_it_was(solution: bytes, registry: Registry) -> None:
    back = import_solution(solution, registry)
    assert back.pipeline.digest == parse_pipeline(PIPELINE).pipeline.digest
    assert back.warnings == ()
    assert {n: str(a) for n, a in back.addresses.items()} == {
        n: f"dns:///{n}:8061" for n in ("a", "b", "c")
    }


def test_the_same_pipeline_gives_the_same_bytes(solution: bytes, registry: Registry) -> None:
    assert export_solution(compose(parse_pipeline(PIPELINE), registry)).content == solution


def test_without_a_shared_folder_there_is_no_claim(registry: Registry) -> None:
    text = PIPELINE.replace(", shared_folder: /data/x", "")
    files = files_of(export_solution(compose(parse_pipeline(text), registry)).content)
    assert "deployments/pvc.yaml" not in files


def test_every_pod_keeps_the_restricted_standard(solution: bytes) -> None:
    files = files_of(solution)
    deployments = [yaml.safe_load(t) for n, t in files.items() if n.endswith("_deployment.yaml")]
    assert len(deployments) == 4
    for deployment in deployments:
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        [container] = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"requests", "limits"} == container["resources"].keys()
        assert container["readinessProbe"]
        assert "hostPath" not in json.dumps(pod)
        match = deployment["spec"]["selector"]["matchLabels"]
        assert deployment["spec"]["template"]["metadata"]["labels"] == match


def test_services_are_inside_the_cluster_and_find_their_pods(solution: bytes) -> None:
    files = files_of(solution)
    service = yaml.safe_load(files["deployments/a_service.yaml"])
    deployment = yaml.safe_load(files["deployments/a_deployment.yaml"])
    assert service["spec"]["type"] == "ClusterIP"
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    ports = [(p["port"], p["targetPort"]) for p in service["spec"]["ports"]]
    assert ports == [(8061, 8061), (8062, 8062)]


def test_the_shared_folder_is_mounted_where_it_is_wanted(solution: bytes) -> None:
    files = files_of(solution)
    pods = {
        name: yaml.safe_load(files[f"deployments/{name}_deployment.yaml"])["spec"]["template"][
            "spec"
        ]
        for name in ("a", "b")
    }
    [container] = pods["a"]["containers"]
    assert container["env"] == [{"name": "SHARED_FOLDER_PATH", "value": "/data/x"}]
    [mount], [volume] = container["volumeMounts"], pods["a"]["volumes"]
    assert (mount["name"], mount["mountPath"]) == (volume["name"], "/data/x")
    claim = yaml.safe_load(files["deployments/pvc.yaml"])
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert "volumes" not in pods["b"]


def test_the_original_layout_is_read(registry: Registry) -> None:
    """Everything in a folder of its own, protos in lower case, the SharedFolder taken out."""
    text, infos, protos = game()
    deployment = """
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
      - name: board1
        image: x
        env: [{name: SHARED_FOLDER_PATH, value: /data/shared}]
"""
    files: dict[str, str | bytes] = {
        "solution/blueprint.json": text,
        "solution/dockerinfo.json": infos,
        **{f"solution/microservice/{name.lower()}": proto for name, proto in protos.items()},
        "solution/deployments/board1_deployment.yaml": deployment,
        "solution/orchestrator_client/__pycache__/x.pyc": b"\xff\x00",
    }
    found = import_solution(packed(files), registry)
    assert len(found.pipeline.links) == 4
    assert found.pipeline.nodes["board1"].shared_folder == "/data/shared"
    assert len(found.addresses) == 3
    assert found.warnings == ()


def test_a_single_model_goes_in_and_out(registry: Registry) -> None:
    component = registry.find("text")
    content = export_model(component)
    files = files_of(content)
    assert sorted(files) == [
        "deployment-readme.txt",
        "deployment.yaml",
        "kubernetes-client-script.py",
        "license.json",
        "microservice/text.proto",
        "modelname.txt",
        "service.yaml",
    ]
    assert json.loads(files["license.json"])["keyword"] == "MIT"
    back = import_solution(content, registry)
    assert back.pipeline.nodes["text"].component == component.reference
    alone = import_solution(content, Registry([]))
    assert alone.onboarded[0].manifest.image == "registry.example/text:1"


def test_images_of_components_without_one_are_named(shelf: Shelf) -> None:
    put_usual_components(shelf)
    component = Registry.discover([shelf.folder], built_in=False).find("charts")
    assert component.manifest.image is None
    exported = files_of(export_model(component, image_prefix="registry.example/eo/"))
    assert "image: registry.example/eo/charts:1.0.0" in exported["deployment.yaml"]


GOOD: dict[str, str | bytes] = {
    "blueprint.json": blueprint(node("solver", operation("solve", "", ""))),
    "microservice/solver.proto": SOLVER,
}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"../blueprint.json": "{}"}, "leads outside: '../blueprint.json'"),
        ({"a/../../b": ""}, "leads outside"),
        ({"/etc/passwd": ""}, "leads outside"),
        ({"C:/x": ""}, "leads outside"),
        ({"a\\..\\b": ""}, "leads outside"),
        ({"readme.txt": ""}, "it is no solution"),
        ({"blueprint.json": "{"}, "not JSON"),
        ({"blueprint.json": b"\xff"}, "blueprint.json is not UTF-8 text"),
        ({"blueprint.json": " " * (5 << 20)}, "unpacks to too much; the archive may be a bomb"),
        (
            {f"microservice/{i}.proto": " " * (4 << 20) for i in range(20)},
            "unpacks to too much; the archive may be a bomb",
        ),
        ({f"f{i}": "" for i in range(MAX_FILES + 1)}, "more than 5000 files"),
        ({"deployment.yaml": "a: b", "microservice/x": SOLVER}, "it is no solution"),
        ({"deployment.yaml": "spec: [" * 50, "microservice/x": SOLVER}, "it is no solution"),
    ],
)
def test_archives_that_are_refused(
    files: dict[str, str | bytes], words: str, registry: Registry
) -> None:
    content = packed(files)
    assert len(content) < 1 << 20, "small as it comes"
    with pytest.raises(SolutionError) as caught:
        import_solution(content, registry)
    assert words in str(caught.value)


def test_an_archive_with_a_nameless_file_is_refused(registry: Registry) -> None:
    buffer = io.BytesIO(packed(GOOD))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(zipfile.ZipInfo(""), "content")
    with pytest.raises(SolutionError, match="has a file without a name"):
        import_solution(buffer.getvalue(), registry)


def test_an_archive_with_one_name_twice_is_refused(registry: Registry) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("blueprint.json", "{}")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("blueprint.json", "{}")
    with pytest.raises(SolutionError, match=r"has 'blueprint\.json' twice"):
        import_solution(buffer.getvalue(), registry)


def test_other_ways_of_packing_are_refused(registry: Registry) -> None:
    with pytest.raises(SolutionError, match="compressed in an unusual way"):
        import_solution(packed(GOOD, zipfile.ZIP_LZMA), registry)
    content = bytearray(packed(GOOD))
    for mark, flags in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        place = content.find(mark)
        while place >= 0:
            content[place + flags] |= 1
            place = content.find(mark, place + 4)
    with pytest.raises(SolutionError, match="is encrypted"):
        import_solution(bytes(content), registry)


def test_an_archive_that_lies_about_sizes_is_refused(registry: Registry) -> None:
    content = packed({**GOOD, "blueprint.json": " " * (5 << 20)})
    size = (5 << 20).to_bytes(4, "little")
    with pytest.raises(SolutionError):
        import_solution(content.replace(size, (10).to_bytes(4, "little")), registry)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + b"\xff" * 18, b"x" * 1000])
def test_what_is_no_archive_is_one_sentence(content: bytes, registry: Registry) -> None:
    with pytest.raises(SolutionError, match="it is no archive that can be read"):
        import_solution(content, registry)
    with pytest.raises(SolutionError, match="larger than"):
        import_solution(bytes(MAX_ARCHIVE_BYTES + 1), registry)


def test_a_good_archive_is_read(registry: Registry) -> None:
    found = import_solution(packed(GOOD), registry)
    assert found.pipeline.nodes["solver"].component == "solver@1.5.0"
