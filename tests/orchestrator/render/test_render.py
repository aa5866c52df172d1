"""What a pipeline's objects say, beyond that they are valid."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from composer.graph import Graph, compose
from composer.pipeline import Pipeline
from composer.pipeline_file import load_pipeline
from composer.registry import Registry
from orchestrator.backends.kubernetes.quota import demand_of
from orchestrator.component_files import component_files
from orchestrator.deployed import FAILED, INVALID
from orchestrator.errors import ProfileError, RenderError
from orchestrator.profiles import Journal, Profile, Storage, load_profile
from orchestrator.render import Orchestrator, RenderOptions, render, render_project
from orchestrator.render.checks import check, external_objects
from orchestrator.render.ownership import is_kept, owned, root_of
from orchestrator.render.quantities import parse_quantity
from tests.composer.fakes import SCENES, SCENES_SCHEMA, Shelf
from tests.orchestrator.render.conftest import (
    IMAGE,
    ROOT,
    URL,
    Objects,
    container,
    environment,
    one,
)

MakeGraph = Callable[..., Graph]


def test_every_example_renders_to_valid_objects_at_every_shipped_site(
    creodias: Profile, profile: Profile
):
    kind = load_profile("kind")
    k3s = load_profile("k3s", ["images.registry=registry.example/eo"])
    for example in sorted((ROOT / "examples").glob("*.yaml")):
        overrides = [f"scenes.catalogue={URL}"] if "catalogue:" in example.read_text() else []
        graph = compose(load_pipeline(example, overrides), Registry.discover([]), cycles=True)
        for site in (creodias, profile, kind, k3s):
            objects = render(graph, site, RenderOptions(namespace="eo"))
            assert not check(objects, external=external_objects(site))
            assert not check(render_project("eo", site))


def test_a_node_becomes_a_deployment_behind_a_headless_service(rendered: Objects):
    service = one(rendered, "Service", "forest--clean")["spec"]
    assert service["clusterIP"] == "None"
    assert service["publishNotReadyAddresses"] is False
    spec = one(rendered, "Deployment", "forest--clean")["spec"]
    assert spec["selector"]["matchLabels"] == service["selector"]
    assert container(rendered, "clean")["image"] == "registry.example/eo/filters:1.0.0"


def test_addresses_lead_to_the_services(rendered: Objects):
    addresses = json.loads(root_of(rendered)["data"]["addresses.json"])
    assert addresses["clean"] == "dns:///forest--clean.eo.svc:8061"
    services = {o["metadata"]["name"] for o in rendered if o["kind"] == "Service"}
    assert {a.removeprefix("dns:///").partition(".")[0] for a in addresses.values()} == services


def test_resources_are_those_of_the_pipeline_file(make_graph: MakeGraph, creodias: Profile):
    resources = {"cpu": 1.5, "memory": "6Gi", "gpu": 2}
    graph = make_graph(clean={"resources": resources, "replicas": 3})
    objects = render(graph, creodias)
    told = container(objects, "clean")["resources"]
    assert told["requests"] == {"cpu": "375m", "memory": "6Gi", "nvidia.com/gpu": "2"}
    assert told["limits"] == {"memory": "6Gi", "nvidia.com/gpu": "2"}
    spec = one(objects, "Deployment", "forest--clean")["spec"]
    assert spec["replicas"] == 3
    pod = spec["template"]["spec"]
    assert pod["nodeSelector"] == {"group": "gpu"}
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert (
        "nodeSelector"
        not in one(objects, "Deployment", "forest--scenes")["spec"]["template"]["spec"]
    )
    assert one(objects, "PodDisruptionBudget")["metadata"]["name"] == "forest--clean"


@pytest.mark.parametrize("site", ["kind", "k3s", "plain"])
def test_the_demonstration_fits_beside_the_pods_of_a_cluster_of_two_cores(site: str):
    """Of which Kubernetes' own take about one, and 4 GiB of memory are free."""
    answers = ["images.registry=registry.example/eo", "storage.storage_class=standard"]
    graph = compose(load_pipeline(ROOT / "examples" / "demo.yaml"), Registry.discover([]))
    demand = demand_of(render(graph, load_profile(site, answers)))
    assert demand["requests.cpu"] <= 1
    assert demand["requests.memory"] <= 4 << 30
    # What a component may use is the same everywhere.
    assert demand["limits.memory"] == (3 * 2 + 1) << 30


def test_all_pods_that_share_a_volume_have_one_selinux_level(
    make_graph: MakeGraph, profile: Profile
):
    def level(name: str, profile: Profile) -> str:
        objects = render(make_graph(name), profile)
        pods = [
            item["spec"]["template"]["spec"]
            for item in objects
            if item["kind"] in {"Deployment", "Job"}
        ]
        assert len(pods) == 4
        (found,) = {pod["securityContext"]["seLinuxOptions"]["level"] for pod in pods}
        return str(found)

    names = ("forest", "river", "town")
    found = {level(name, profile) for name in names}
    assert len(found) == 3
    for each in found:
        first, second = (int(part[1:]) for part in each.removeprefix("s0:").split(","))
        assert 0 <= first < second < 1024
    shared = profile.model_copy(update={"storage": Storage(claim="ours")})
    assert len({level(name, shared) for name in names}) == 1


def test_an_autoscaler_reckons_in_the_cores_of_the_manifest_and_not_in_what_is_reserved(
    make_graph: MakeGraph, profile: Profile
):
    graph = make_graph(clean={"resources": {"cpu": 2, "memory": "1Gi"}})
    objects = render(graph, profile, RenderOptions(max_replicas=4))
    scaler = one(objects, "HorizontalPodAutoscaler", "forest--clean")["spec"]
    share = parse_quantity(container(objects, "clean")["resources"]["requests"]["cpu"])
    target = scaler["metrics"][0]["resource"]["target"]["averageUtilization"]
    assert float(share) * target / 100 == pytest.approx(0.8 * 2)


def test_a_third_party_image_is_asked_for_its_port_and_may_write_into_its_own_root(
    make_graph: MakeGraph, profile: Profile
):
    objects = render(make_graph(chart="viewer"), profile)
    viewer, clean = container(objects, "charts"), container(objects, "clean")
    assert viewer["image"] == IMAGE
    assert viewer["readinessProbe"]["tcpSocket"] == {"port": 8061}
    assert clean["readinessProbe"]["grpc"] == {"port": 8061}
    assert viewer["securityContext"]["readOnlyRootFilesystem"] is False
    assert clean["securityContext"]["readOnlyRootFilesystem"] is True
    assert [p["port"] for p in one(objects, "Service", "forest--charts")["spec"]["ports"]] == [
        8061,
        8062,
    ]
    # Its own image may have no Python to make a folder with.
    pod = one(objects, "Deployment", "forest--charts")["spec"]["template"]["spec"]
    assert pod["initContainers"][0]["image"].startswith("registry.example/eo/orchestrator:")


def test_a_version_is_a_label_however_it_ends(profile: Profile, tmp_path: Path):
    shelf = Shelf(tmp_path)
    operations = {"search": {"emits": {"parameter": "collections"}}}
    service = "fake.scenes.Scenes"
    shelf.put("scenes", SCENES, service, operations, SCENES_SCHEMA, version="1.0.0-rc.")
    nodes = {"scenes": {"component": "scenes", "params": {"catalogue": URL}}}
    pipeline = Pipeline.model_validate({"name": "forest", "nodes": nodes})
    graph = compose(pipeline, Registry.discover([shelf.folder], built_in=False))
    objects = render(graph, profile)
    assert not check(objects, external=external_objects(profile))
    labels = one(objects, "Service")["metadata"]["labels"]
    assert labels["app.kubernetes.io/version"] == "1.0.0-rc"


def test_a_node_without_health_service_can_be_named(make_graph: MakeGraph, profile: Profile):
    objects = render(make_graph(), profile, RenderOptions(without_health=frozenset({"clean"})))
    assert "tcpSocket" in container(objects, "clean")["livenessProbe"]


def test_only_nodes_with_data_from_outside_may_leave_the_cluster(
    make_graph: MakeGraph, profile: Profile
):
    named = render(make_graph(), profile)
    (nodes,) = one(named, "NetworkPolicy", "forest--data")["spec"]["podSelector"][
        "matchExpressions"
    ]
    assert nodes["values"] == ["charts", "clean", "scenes"]
    local = render(make_graph(catalogue="/shared/catalogue"), profile)
    assert not [o for o in local if o["metadata"]["name"] == "forest--data"]


def test_a_url_in_the_middle_opens_what_is_behind_it_and_not_what_is_before(
    make_graph: MakeGraph, profile: Profile
):
    graph = make_graph(catalogue="/shared/x", clean={"params": {"mask": URL}})
    policy = one(render(graph, profile), "NetworkPolicy", "forest--data")
    (nodes,) = policy["spec"]["podSelector"]["matchExpressions"]
    assert nodes["values"] == ["charts", "clean"]


def test_keys_of_the_site_s_data_are_named_and_never_written(
    make_graph: MakeGraph, creodias: Profile
):
    env = environment(container(render(make_graph(), creodias), "scenes"))
    assert env["AWS_SECRET_ACCESS_KEY"] == {"secretKeyRef": {"name": "eodata", "key": "secret_key"}}
    assert env["AWS_S3_ENDPOINT"] == "eodata.cloudferro.com"
    local = render(make_graph(catalogue="/shared/x"), creodias)
    assert "AWS_SECRET_ACCESS_KEY" not in environment(container(local, "scenes"))


def test_no_token_is_mounted_and_pull_secrets_are_named(make_graph: MakeGraph, creodias: Profile):
    objects = render(make_graph(), creodias)
    assert one(objects, "ServiceAccount")["automountServiceAccountToken"] is False
    for item in objects:
        if item["kind"] in {"Deployment", "Job"}:
            pod = item["spec"]["template"]["spec"]
            assert pod["automountServiceAccountToken"] is False
            assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_components_see_the_shared_folder_of_their_run_only(rendered: Objects):
    run = root_of(rendered)["metadata"]["annotations"]["eoloom.org/run"]
    (mount,) = [m for m in container(rendered, "clean")["volumeMounts"] if m["name"] == "runs"]
    assert mount == {"name": "runs", "mountPath": "/shared", "subPath": f"forest/{run}/shared"}


def test_a_claim_that_exists_is_used_and_none_is_made(make_graph: MakeGraph, profile: Profile):
    site = profile.model_copy(
        update={"storage": profile.storage.model_copy(update={"claim": "ours"})}
    )
    objects = render(make_graph(), site)
    assert not [o for o in objects if o["kind"] == "PersistentVolumeClaim"]
    assert not check(objects, external=external_objects(site))
    assert [str(f) for f in check(objects)] != []


def test_the_same_again_is_the_same_run(make_graph: MakeGraph, profile: Profile):
    assert render(make_graph(), profile) == render(make_graph(), profile)


@pytest.mark.parametrize("change", ["pipeline", "image", "orchestrator"])
def test_what_changes_the_run_makes_another_run_and_job(
    change: str, make_graph: MakeGraph, profile: Profile
):
    before = render(make_graph(), profile)
    graph, options = make_graph(), RenderOptions()
    if change == "pipeline":
        graph = make_graph(clean={"params": {"resolution": 60}})
    elif change == "image":
        tag = "registry.example/eo/filters:1.0.0"
        options = RenderOptions(images={tag: f"{tag}@sha256:{'0' * 64}"})
    else:
        options = RenderOptions(orchestrator_image="registry.example/eo/orchestrator:9")
    after = render(graph, profile, options)
    run = "eoloom.org/run"
    assert (
        root_of(before)["metadata"]["annotations"][run]
        != root_of(after)["metadata"]["annotations"][run]
    )
    assert one(before, "Job")["metadata"]["name"] != one(after, "Job")["metadata"]["name"]


def test_more_replicas_go_on_with_the_same_run(make_graph: MakeGraph, profile: Profile):
    before = render(make_graph(), profile)
    after = render(make_graph(), profile, RenderOptions(replicas={"clean": 4}))
    assert one(before, "Job") == one(after, "Job")
    assert one(after, "Deployment", "forest--clean")["spec"]["replicas"] == 4


def test_another_site_for_the_job_is_another_job_of_the_same_run(
    make_graph: MakeGraph, profile: Profile
):
    placed = profile.placement.model_copy(update={"node_selector": {"zone": "a"}})
    moved = profile.model_copy(update={"placement": placed})
    before, after = (
        one(render(make_graph(), profile), "Job"),
        one(render(make_graph(), moved), "Job"),
    )
    assert before["metadata"]["annotations"] == after["metadata"]["annotations"]
    assert before["metadata"]["name"] != after["metadata"]["name"]


def test_a_failed_run_is_final_and_a_lost_pod_is_not(rendered: Objects):
    rules = one(rendered, "Job")["spec"]["podFailurePolicy"]["rules"]
    assert rules[0]["action"] == "FailJob"
    # A database or a volume that is not there for a while is no reason to give a run up.
    assert rules[0]["onExitCodes"] == {
        "containerName": "orchestrator",
        "operator": "In",
        "values": [FAILED, INVALID],
    }
    assert rules[1]["action"] == "Ignore"


def test_with_an_autoscaler_nobody_else_sets_the_replicas(make_graph: MakeGraph, profile: Profile):
    objects = render(make_graph(), profile, RenderOptions(max_replicas=5))
    assert "replicas" not in one(objects, "Deployment", "forest--clean")["spec"]
    assert one(objects, "HorizontalPodAutoscaler", "forest--clean")["spec"]["maxReplicas"] == 5


def test_the_standing_orchestrator_may_call_and_no_job_is_made(
    make_graph: MakeGraph, profile: Profile
):
    options = RenderOptions(orchestrator=Orchestrator.SERVICE, orchestrator_namespace="eoloom")
    objects = render(make_graph(), profile, options)
    assert not [o for o in objects if o["kind"] == "Job"]
    (rule,) = one(objects, "NetworkPolicy", "forest--calls")["spec"]["ingress"]
    assert rule["from"][0]["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": "eoloom"
    }


def test_the_root_owns_all_but_what_was_computed(rendered: Objects):
    items = owned(rendered, "uid-1")
    for item in items:
        owners = item["metadata"].get("ownerReferences", [])
        if item["kind"] in {"ConfigMap", "PersistentVolumeClaim"}:
            assert not owners
        else:
            assert owners == [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "forest", "uid": "uid-1"}
            ]
    assert [o["kind"] for o in rendered if is_kept(o)] == ["PersistentVolumeClaim"]


def test_components_of_others_travel_with_the_pipeline(
    make_graph: MakeGraph, profile: Profile, tmp_path
):
    graph = make_graph(chart="viewer")
    objects = render(graph, profile, RenderOptions(files=component_files(graph)))
    assert not check(objects, external=external_objects(profile))
    # As the pod mounts them.
    root = root_of(objects)
    contents = root["data"] | {
        key: base64.b64decode(text) for key, text in root["binaryData"].items()
    }
    volumes = one(objects, "Job")["spec"]["template"]["spec"]["volumes"]
    (volume,) = [v for v in volumes if v["name"] == "input"]
    for item in volume["configMap"]["items"]:
        path = tmp_path / item["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        content = contents[item["key"]]
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    found = Registry.discover([tmp_path / "components"], built_in=False)
    assert not found.broken
    again = compose(load_pipeline(tmp_path / "pipeline.yaml"), found)
    assert again.pinned().digest == graph.pinned().digest


def test_a_path_of_this_machine_is_refused_by_name(make_graph: MakeGraph, profile: Profile):
    graph = make_graph(catalogue="/data/scenes", clean={"params": {"area": {"outline": "/x.json"}}})
    with pytest.raises(RenderError) as raised:
        render(graph, profile)
    assert "node scenes, parameter catalogue: /data/scenes" in str(raised.value)
    assert "node clean, parameter area.outline: /x.json" in str(raised.value)
    assert "s3://" in str(raised.value)


def test_a_bucket_that_the_site_does_not_have_is_refused_by_name(
    make_graph: MakeGraph, creodias: Profile
):
    assert render(make_graph(catalogue="s3://eodata/Sentinel-2"), creodias)
    with pytest.raises(RenderError) as raised:
        render(make_graph(catalogue="s3://mine/catalogue.json"), creodias)
    assert "node scenes: s3://mine/catalogue.json is not in the bucket eodata" in str(raised.value)
    assert "eodata.bucket=null" in str(raised.value)


def test_a_database_for_the_journal_can_be_reached_by_the_orchestrator_only(
    make_graph: MakeGraph, profile: Profile
):
    journal = Journal.model_validate({"secret": "database", "cidr": "10.0.0.7/32"})
    objects = render(make_graph(), profile.model_copy(update={"journal": journal}))
    rules = one(objects, "NetworkPolicy", "forest--orchestrator")["spec"]["egress"]
    assert rules[1]["to"] == [{"ipBlock": {"cidr": "10.0.0.7/32"}}]
    job = one(objects, "Job")["spec"]["template"]["spec"]["containers"][0]
    reference = {"secretKeyRef": {"name": "database", "key": "url"}}
    assert environment(job)["EOLOOM_DATABASE_URL"] == reference
    open_question = Journal.model_validate({"secret": "database"})
    unknown = profile.model_copy(update={"journal": open_question})
    with pytest.raises(ProfileError, match=r"journal\.cidr"):
        render(make_graph(), unknown)


def test_every_open_question_is_asked_at_once(make_graph: MakeGraph):
    with pytest.raises(ProfileError) as raised:
        render(make_graph(), load_profile("creodias"))
    for field in ("images.registry", "storage.storage_class", "eodata.secret", "eodata.cidrs"):
        assert f"{field}: " in str(raised.value)
    assert "kubectl get storageclass" in str(raised.value)
    assert "gpu" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (RenderOptions(name="Forest"), "name 'Forest' must be lower-case"),
        (RenderOptions(namespace="a_b"), "namespace 'a_b' must be"),
        (RenderOptions(replicas={"clen": 2}), "no node 'clen'; did you mean 'clean'?"),
        (RenderOptions(replicas={"clean": 101}), "node clean: 101 replicas"),
        (RenderOptions(max_replicas=0), "max_replicas is 0"),
        (RenderOptions(run="../x"), "run '../x' must be"),
    ],
)
def test_wrong_options_are_refused(
    options: RenderOptions, told: str, make_graph: MakeGraph, profile: Profile
):
    with pytest.raises(RenderError, match=told.replace("?", r"\?")):
        render(make_graph(), profile, options)


def test_more_than_a_config_map_holds_is_refused(make_graph: MakeGraph, profile: Profile):
    files = {"viewer-1.0.0": {"descriptors.binpb": b"x" * (1 << 20)}}
    with pytest.raises(RenderError, match="ConfigMap"):
        render(make_graph(), profile, RenderOptions(files=files))


def test_two_pipelines_whose_names_join_alike_do_not_meet(
    registry: Registry, profile: Profile, make_graph: MakeGraph
):
    first = render(make_graph(name="a-clean"), profile, RenderOptions(namespace="eo"))
    second = render(make_graph(name="a"), profile, RenderOptions(namespace="eo"))
    assert not check([*first, *second], external=external_objects(profile))
