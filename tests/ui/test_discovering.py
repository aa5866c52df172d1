"""Components as cards, their contracts drawn and in tables, and onboarding by a form."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from composer.contract import Kind
from composer.errors import ProtoError, StoreError
from composer.registry import Registry
from composer.store import Visibility, stored_components
from ui.component_cards import BUILT_IN, CardFilter, cards, select
from ui.contract_picture import contract_svg
from ui.contract_tables import example_node, message_views
from ui.errors import EnvironmentFaultError, UiError
from ui.markdown import code, plain
from ui.onboarding import OnboardForm, decode_proto, describe, excerpt, onboard, remove, share
from ui.registry import find_components
from ui.signed_in import user_of

PROTO = """syntax = "proto3";

enum Shape { POINT = 0; AREA = 1; }
message Image { bytes pixels = 1; map<string, double> offsets = 2; }
message Region { repeated double outline = 1; Shape shape = 2; }

service Segmenter {
  rpc segment(Image) returns (stream Region);
}
"""
FORM = OnboardForm(image="registry.example/team/segment:1.2", proto=PROTO, licence="MIT")


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("EOLOOM_DATABASE_URL", raising=False)
    return tmp_path


def names(wanted: CardFilter) -> list[str]:
    return [card.name for card in select(cards(Registry.discover(), ()), wanted)]


def test_cards_are_found_by_all_words_in_any_order() -> None:
    assert names(CardFilter(text="DETECTION change")) == ["s2-change"]
    assert names(CardFilter(text="detection nonsense")) == []
    # Messages and operations are searched too.
    assert "s2-change" in names(CardFilter(text="stream item detect"))


def test_cards_are_filtered_by_keyword_kind_licence_and_owner() -> None:
    assert "stac-source" in names(CardFilter(kind=Kind.SOURCE))
    assert "s2-change" not in names(CardFilter(kind=Kind.SOURCE))
    assert names(CardFilter(keywords=("ir-mad", "Sentinel-2"))) == ["s2-change"]
    assert names(CardFilter(licence="no such licence")) == []
    assert "s2-change" in names(CardFilter(owner=BUILT_IN))
    assert names(CardFilter(owner="ada")) == []


def test_an_onboarded_component_has_its_owner_and_visibility(data_home: Path) -> None:
    onboard(FORM, owner="ada")
    entries = stored_components("ada")
    (card,) = select(cards(find_components((), entries), entries), CardFilter(owner="ada"))
    assert (card.name, card.visibility, card.licence) == ("segment", "private", "MIT")


def test_who_may_use_a_component_can_be_changed_and_it_can_be_removed(data_home: Path) -> None:
    stored = onboard(FORM, owner="ada")
    assert stored_components("bob") == []
    share(stored, Visibility.SHARED, "bob, eve ,")
    assert [entry.name for entry in stored_components("bob")] == ["segment"]
    remove(stored)
    assert stored_components("ada") == []


def test_a_bad_contract_is_refused_with_its_line() -> None:
    bad = PROTO.replace("stream Region", "stream Regio")
    with pytest.raises(ProtoError, match="line 8") as caught:
        describe(OnboardForm(image="segment:1", proto=bad))
    assert caught.value.line == 8
    marked = excerpt(bad, 8).splitlines()
    assert marked[2] == "> 8    rpc segment(Image) returns (stream Regio);"
    assert len(marked) == 4


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (OnboardForm(image=" ", proto=PROTO), "name the container image"),
        (OnboardForm(image="segment:1", proto=""), "give the contract"),
        (OnboardForm(image="s2-change:1", proto=PROTO), "built in"),
    ],
)
def test_what_is_missing_or_taken_is_said(data_home: Path, form: OnboardForm, message: str) -> None:
    with pytest.raises(UiError, match=message):
        onboard(form, owner="ada")


def test_other_contents_need_another_version(data_home: Path) -> None:
    onboard(FORM, owner="ada")
    with pytest.raises(StoreError, match="another version"):
        onboard(
            OnboardForm(image=FORM.image, proto=PROTO.replace("label", "name"), title="x"),
            owner="ada",
        )


def test_an_upload_that_is_no_text_is_refused() -> None:
    assert decode_proto(b"\xef\xbb\xbfsyntax", "a.proto") == "syntax"
    with pytest.raises(UiError, match="not UTF-8"):
        decode_proto(b"\xff\xfe", "a.proto")
    with pytest.raises(UiError, match="larger than 1 MiB"):
        decode_proto(b" " * (1 << 21), "a.proto")


def test_messages_have_their_fields_in_words() -> None:
    image, region = message_views(describe(FORM).contract)
    assert image.fields[1][:3] == (2, "offsets", "map<string, double>")
    assert region.fields[0][2] == "repeated double"
    assert region.fields[1][3] == "one of POINT, AREA"


def test_the_drawing_is_an_svg_of_all_operations() -> None:
    contract = describe(FORM).contract
    for dark in (False, True):
        root = ElementTree.fromstring(contract_svg(contract, dark=dark))  # noqa: S314 - our own
        words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert {"Image", "segment", "Region", "map<string, double>", "Shape"} <= set(words)


def test_the_example_is_a_node_that_can_be_read() -> None:
    registry = Registry.discover()
    for component in registry.components:
        document = yaml.safe_load(example_node(component))
        ((_, node),) = document["nodes"].items()
        assert node["component"] == component.reference
        assert set(node.get("params", {})) <= set(component.schema.names)


def test_texts_of_others_are_not_taken_for_markdown() -> None:
    assert plain("*a*\n# b <script>") == r"\*a\* \# b \<script\>"
    assert plain(":red[x] $y$") == r"\:red\[x\] \$y\$"
    assert code("a `b` c") == "``a `b` c``"
    assert code("`") == "`` ` ``"


def test_headers_name_the_user_only_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EOLOOM_USER", "me")
    headers = {"x-forwarded-user": "ada"}
    assert user_of(headers, behind_proxy=False) == "me"
    assert user_of(headers, behind_proxy=True) == "ada"
    assert user_of({"X-Auth-Request-User": "bob"}, behind_proxy=True) == "bob"
    for told in ({}, {"X-Forwarded-User": "  "}, {"X-Forwarded-User": "a" * 300}):
        with pytest.raises(EnvironmentFaultError, match="proxy"):
            user_of(told, behind_proxy=True)
