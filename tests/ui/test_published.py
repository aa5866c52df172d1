"""Documents that browsers fetch by their digest."""

from __future__ import annotations

import json

from ui import published as module
from ui.published import Published


def test_a_document_is_found_by_its_digest() -> None:
    published = Published()
    digest = published.publish([{"name": "a"}])
    assert json.loads(published.content(digest) or b"") == [{"name": "a"}]
    assert published.publish([{"name": "a"}]) == digest
    assert published.publish([{"name": "b"}]) != digest
    assert published.content("unknown") is None


def test_the_last_ones_are_kept() -> None:
    published = Published()
    digests = [published.publish(number) for number in range(module.KEPT)]
    published.publish(0)
    published.publish(-1)
    assert published.content(digests[0]) is not None
    assert published.content(digests[1]) is None
