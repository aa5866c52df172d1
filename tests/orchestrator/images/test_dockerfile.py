import re

import pytest

from orchestrator.errors import ImageError
from orchestrator.images.dockerfile import prune
from orchestrator.images.sources import dockerfile_text

SMALL = """\
ARG BASIS=plain
FROM base AS plain
RUN one
FROM plain AS rich
RUN two
FROM base AS unused
RUN three
FROM base AS maker
RUN four
FROM ${BASIS} AS final
COPY --from=maker /a /a
"""


def test_only_what_the_target_stands_on_and_copies_from_stays() -> None:
    kept = prune(SMALL, "final", {})
    assert "RUN one" in kept
    assert "RUN four" in kept
    assert "RUN two" not in kept
    assert "RUN three" not in kept
    assert kept.startswith("ARG BASIS=plain\n")


def test_an_argument_counts_before_the_default() -> None:
    assert "RUN two" in prune(SMALL, "final", {"BASIS": "rich"})


def test_an_unknown_target_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ImageError, match="no target 'finel'; it has plain, rich"):
        prune(SMALL, "finel", {})


@pytest.mark.parametrize("target", ["component", "orchestrator", "ui"])
def test_the_targets_share_the_first_stages(target: str) -> None:
    whole = dockerfile_text()
    kept = prune(whole, target, {})
    shared = whole[: whole.index("FROM serving-packages AS rasters-packages")]
    assert kept.startswith(shared)


def test_any_python_may_be_in_the_base_image() -> None:
    instructions = re.sub(r"^(#|ARG BASE_IMAGE=).*", "", dockerfile_text(), flags=re.MULTILINE)
    assert not re.search(r"python3\.\d", instructions)


def test_a_component_without_rasters_does_not_build_them() -> None:
    assert "AS rasters-packages" not in prune(dockerfile_text(), "component", {"BASIS": "serving"})
