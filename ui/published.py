"""Documents that browsers fetch once and keep, by the digest of their content."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from typing import Any, Final

KEPT: Final = 16
"""Those that were published last; a page that shows another one publishes it again."""


class Published:
    """JSON documents by their SHA-256. Safe to use from several threads."""

    def __init__(self) -> None:
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def publish(self, document: Any) -> str:
        """Keep a document and return its digest, which nobody can guess who has not seen it."""
        content = json.dumps(document, separators=(",", ":")).encode()
        digest = hashlib.sha256(content).hexdigest()
        with self._lock:
            self._contents[digest] = content
            self._contents.move_to_end(digest)
            while len(self._contents) > KEPT:
                self._contents.popitem(last=False)
        return digest

    def content(self, digest: str) -> bytes | None:
        """Return a document as JSON; None where it is not kept."""
        with self._lock:
            return self._contents.get(digest)


PALETTES: Final = Published()
"""Of this process: pages publish here what the route `/palette` serves."""
