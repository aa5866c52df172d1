"""Whatever pipeline and site: the objects pass every check."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from composer.graph import compose
from composer.pipeline import Pipeline
from composer.registry import Registry
from orchestrator.profiles import Profile
from orchestrator.render import Orchestrator, RenderOptions, render, render_project
from orchestrator.render.checks import check, external_objects
from tests.orchestrator.render.conftest import URL

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
SHARES = st.floats(0.001, 1)
QUANTITIES = st.sampled_from(["1", "500m", "20Gi", "1.5Ti", "3e9"])

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(1, 100),
        "concurrency": st.integers(1, 8),
        "shared_folder": st.sampled_from(["/data", "/data/shared", "/var/lib/x.y"]),
        "resources": st.fixed_dictionaries(
            {
                "cpu": st.floats(0.001, 1024),
                "memory": st.sampled_from(["1Mi", "1500Mi", "4Gi", "999999Gi"]),
                "gpu": st.integers(0, 8),
            }
        ),
    },
)

PROFILES = st.builds(
    Profile.model_validate,
    st.fixed_dictionaries(
        {
            "name": st.just("any"),
            "images": st.fixed_dictionaries(
                {"registry": st.sampled_from(["r.example/a", "r.example:5000/a/b"])},
                optional={"pull_secrets": st.lists(LABELS, max_size=2, unique=True)},
            ),
            "storage": st.one_of(
                st.fixed_dictionaries({"claim": LABELS}),
                st.fixed_dictionaries({"storage_class": st.just("") | LABELS, "size": QUANTITIES}),
            ),
            "gpu": st.fixed_dictionaries(
                {"node_selector": st.dictionaries(LABELS, LABELS, max_size=2)},
                optional={
                    "tolerations": st.just([{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]),
                    "runtime_class": LABELS,
                },
            ),
            "network": st.fixed_dictionaries(
                {"outside": st.just([{"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}])},
                optional={"dns_cidrs": st.just(["169.254.20.10/32"]), "dns_port": st.just(5353)},
            ),
        },
        optional={
            "eodata": st.just(
                {
                    "endpoint": "http://s3.example:9000",
                    "bucket": "eodata",
                    "secret": "keys",
                    "cidrs": ["10.97.0.0/16", "2001:db8::/32"],
                }
            ),
            "journal": st.just({"secret": "database", "cidr": "10.0.0.7/32"}),
            "placement": st.just(
                {"node_selector": {"a": "b"}, "tolerations": [{}], "priority_class": "low"}
            ),
            "requests": st.fixed_dictionaries({"cpu": SHARES, "memory": SHARES}),
            "project": st.just({"cpu": "10", "memory": "64Gi", "gpus": 2, "pods": 9, "claims": 3}),
        },
    ),
)


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, Any]:
    """A source, filters behind it, and a chart or a viewer behind each filter."""
    names = draw(st.lists(LABELS, min_size=2, max_size=9, unique=True))
    catalogue = draw(st.sampled_from([URL, "s3://eodata/x"]))
    source, *others = names
    nodes = {source: {"component": "scenes", "params": {"catalogue": catalogue}} | draw(OPTIONS)}
    links, last = [], f"{source}.search"
    for number, name in enumerate(others):
        if number % 2 == 0:
            nodes[name] = {"component": "filters"} | draw(OPTIONS)
            links.append(f"{source}.search -> {name}.clean")
            last = f"{name}.clean"
        else:
            chart = draw(st.sampled_from(["charts", "viewer"]))
            nodes[name] = {"component": chart} | draw(OPTIONS)
            links.append(f"{last} -> {name}.measure")
    return {"name": draw(LABELS), "nodes": nodes, "links": links}


OPTIONS_OF_RENDERING = st.builds(
    RenderOptions,
    name=st.just("") | LABELS,
    namespace=st.just("") | LABELS,
    run=st.sampled_from(["", "Run-2024.1_x", "r" * 120]),
    user=st.sampled_from(["", "Jane Doe <jane@example.org>"]),
    orchestrator=st.sampled_from(Orchestrator),
    orchestrator_namespace=LABELS,
    max_replicas=st.none() | st.integers(1, 100),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=pipelines(), profile=PROFILES, options=OPTIONS_OF_RENDERING)
def test_it_renders_to_objects_that_pass_every_check(
    values: dict[str, Any], profile: Profile, options: RenderOptions, registry: Registry
):
    graph = compose(Pipeline.model_validate(values), registry)
    objects = render(graph, profile, options)
    findings = check(objects, external=external_objects(profile))
    assert [str(finding) for finding in findings] == []
    assert not check(render_project("eo", profile))
