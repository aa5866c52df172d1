import pytest

from orchestrator.errors import ImageError
from orchestrator.images.reference import (
    Reference,
    image_reference,
    parse_reference,
    registry_host,
)

DIGEST = f"sha256:{'0123456789abcdef' * 4}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eoloom/s2-change:0.1.0", Reference("", "eoloom/s2-change", "0.1.0")),
        ("localhost/x", Reference("localhost", "x")),
        ("registry.example:5000/p/x:1", Reference("registry.example:5000", "p/x", "1")),
        (f"registry.example/x@{DIGEST}", Reference("registry.example", "x", "", DIGEST)),
        (f"a.b/x:1@{DIGEST}", Reference("a.b", "x", "1", DIGEST)),
        ("[::1]:5000/x:1", Reference("[::1]:5000", "x", "1")),
    ],
)
def test_a_name_has_its_parts_and_is_put_together_again(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected
    assert str(parse_reference(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "UPPER/case", "a b", "x:", "x@sha256:12", "x@", "-x", "a//b", "x:ü", f"a.b/{'x' * 500}"],
)
def test_what_is_no_name_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ImageError, match=r"is not the name of an image, such as registry\.example"):
        parse_reference(text)


def test_build_metadata_of_a_version_makes_a_tag() -> None:
    assert parse_reference(image_reference("eoloom/", "x", "1.0+a")).tag == "1.0-a"


@pytest.mark.parametrize("registry", ["eoloom", "project/below", ""])
def test_nothing_goes_to_docker_hub_by_mistake(registry: str) -> None:
    with pytest.raises(ImageError, match="has no host; name one with --registry"):
        registry_host(registry)


def test_a_registry_needs_no_project() -> None:
    assert registry_host("127.0.0.1:5000") == "127.0.0.1:5000"
