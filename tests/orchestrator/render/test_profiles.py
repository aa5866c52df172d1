import tomllib
from pathlib import Path

import pytest

from orchestrator import profiles
from orchestrator.errors import ProfileError
from orchestrator.profiles import HOW_TO_FIND, load_profile, profile_names
from tests.orchestrator.render.conftest import ROOT


def test_the_shipped_profiles_can_be_loaded():
    assert profile_names() == ("creodias", "k3s", "kind", "plain", "wekeo")
    for name in profile_names():
        assert load_profile(name).name == name


def test_nothing_that_differs_by_site_is_assumed():
    asked = ("images.registry", "storage.storage_class", "eodata.secret", "eodata.cidrs")
    assert load_profile("creodias").missing(asked) == asked
    assert load_profile("wekeo").missing(["eodata.endpoint"])
    assert load_profile("plain").missing(["images.registry", "storage.storage_class"])


def test_every_question_says_how_its_answer_is_found():
    profile = load_profile("wekeo", ["journal.secret=database"])
    with pytest.raises(ProfileError) as raised:
        profile.require(HOW_TO_FIND, "this test")
    for name, way in HOW_TO_FIND.items():
        assert f"{name}: {way}" in str(raised.value)


def test_a_value_can_be_replaced():
    profile = load_profile("creodias", ["storage.size=1Ti", "eodata.cidrs=[10.0.0.0/8]"])
    assert profile.storage.size == "1Ti"
    assert profile.eodata is not None
    assert profile.eodata.cidrs == ("10.0.0.0/8",)
    assert load_profile("creodias", ["eodata=null"]).eodata is None


def test_a_profile_of_one_s_own_is_given_by_its_path(tmp_path: Path):
    path = tmp_path / "ours.yaml"
    path.write_text("name: ours\nstorage: {claim: shared}\n")
    assert load_profile(str(path)).storage.claim == "shared"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["storage.sise=1Gi"], "storage.sise: unknown field 'sise'; did you mean 'size'?"),
        (["storage.size=1GB"], "storage.size: '1GB' is not a quantity such as 500m, 2, 4Gi"),
        (["eodata.cidrs=[10.0.0.1/8]"], "'10.0.0.1/8' is not a range of addresses"),
        (["storage.size"], "'storage.size' is not of the form FIELD=VALUE"),
        (["name.x=1"], "'name.x=1': the profile has no place name.x"),
        (["storage.size={"], "'storage.size={': "),
        (["images.registry=https://r.example"], "images.registry: 'https://r.example' is not the"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(values: list[str], told: str):
    with pytest.raises(ProfileError) as raised:
        load_profile("kind", values)
    assert told in str(raised.value)


def test_a_wrong_name_is_refused_with_those_that_there_are():
    with pytest.raises(ProfileError, match=r"'creodais', only .*did you mean 'creodias'"):
        load_profile("creodais")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot read"),
        ("name: [", "not YAML"),
        ("name: a\nname: b\n", "line 2: name is given twice"),
        ("title: x\n", "name is missing"),
        ("just text", "mapping"),
    ],
)
def test_an_unusable_file_is_named(text: str | None, told: str, tmp_path: Path):
    path = tmp_path / "ours.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ProfileError) as raised:
        load_profile(str(path))
    assert str(path) in str(raised.value)
    assert told in str(raised.value)


def test_an_installed_distribution_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # As a wheel lays them out: pyproject.toml says where.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    target = tmp_path / wheel["force-include"]["k8s/profiles"]
    target.mkdir(parents=True)
    (target / "elsewhere.yaml").write_text("name: elsewhere\n")
    monkeypatch.setattr(profiles, "__file__", str(tmp_path / "orchestrator" / "profiles.py"))
    assert profile_names() == ("elsewhere",)
    assert load_profile("elsewhere").name == "elsewhere"
