"""URLs that the policies of the network would keep pods from are refused before."""

from collections.abc import Callable

import pytest

from composer.graph import Graph
from orchestrator.errors import RenderError
from orchestrator.profiles import Profile
from orchestrator.render import render

MakeGraph = Callable[..., Graph]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://stac.example/v1", "no port 80 outside the cluster; the profile opens 443"),
        ("https://stac.example:8443/v1", "no port 8443 outside"),
        ("/vsicurl/http://stac.example/x.tif", "no port 80 outside"),
        ("https://10.1.2.3/v1", "do not reach the address 10.1.2.3 at port 443"),
        ("http://93.184.216.34/v1", "do not reach the address 93.184.216.34 at port 80"),
        ("https://169.254.169.254/latest", "do not reach the address 169.254.169.254"),
        ("http://localhost:8080/v1", "the pod itself"),
        ("https://[::1]/v1", "the pod itself"),
    ],
)
def test_it_names_node_and_url(url: str, reason: str, make_graph: MakeGraph, profile: Profile):
    with pytest.raises(RenderError) as caught:
        render(make_graph(catalogue=url), profile)
    assert f"node scenes: {url}: " in str(caught.value)
    assert reason in str(caught.value)
    assert "network.outside in a copy of the profile plain" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://stac.example/v1",
        "HTTPS://stac.example:443/v1",
        "https://93.184.216.34/v1",
        "s3://eodata/Sentinel-2",
    ],
)
def test_what_is_open_is_rendered(url: str, make_graph: MakeGraph, profile: Profile):
    assert render(make_graph(catalogue=url), profile)


def test_what_the_profile_opens_is_open(make_graph: MakeGraph, profile: Profile):
    opened = profile.model_validate(
        profile.model_dump(by_alias=True)
        | {"network": {"outside": [{"cidr": "10.0.0.0/8", "ports": [80, 8080]}]}}
    )
    assert render(make_graph(catalogue="http://10.1.2.3:8080/v1"), opened)
    assert render(make_graph(catalogue="http://stac.example/v1"), opened)
    with pytest.raises(RenderError, match=r"do not reach the address 11\.1\.2\.3"):
        render(make_graph(catalogue="http://11.1.2.3:8080/v1"), opened)


def test_the_site_s_own_data_have_a_rule_of_their_own(make_graph: MakeGraph, creodias: Profile):
    inside = "https://eodata.cloudferro.com/eodata/x"
    assert render(make_graph(catalogue=inside), creodias)
    assert render(make_graph(catalogue="https://10.97.1.1/eodata/x"), creodias)
