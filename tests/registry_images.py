"""Images put into a registry by its HTTP API, without a Docker engine, for tests."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"

JSON = dict[str, Any]


class RegistryImages:
    """Puts images into the registry at `host`; user and password: where it asks for them."""

    def __init__(self, host: str, user: str = "", password: str = "") -> None:
        self._base = f"http://{host}"
        word = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {word}"} if user else {}

    def put(self, repository: str, tag: str, word: str) -> str:
        """Put an image that `word` makes another; return its digest."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "author": word}).encode()
        self._upload(repository, config)
        described = {"mediaType": CONFIG, "digest": _digest(config), "size": len(config)}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []}
        return self._put_manifest(repository, tag, manifest)

    def put_index(self, repository: str, tag: str, image: str) -> str:
        """Put an index of several platforms, of which one is the image with this digest."""
        with self._request("GET", f"/v2/{repository}/manifests/{image}", b"", MANIFEST) as answer:
            size = len(answer.read())
        part = {
            "mediaType": MANIFEST,
            "digest": image,
            "size": size,
            "platform": {"architecture": "amd64", "os": "linux"},
        }
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [part]}
        return self._put_manifest(repository, tag, index)

    def _upload(self, repository: str, content: bytes) -> None:
        with self._request("POST", f"/v2/{repository}/blobs/uploads/", b"") as answer:
            place = answer.headers["Location"].removeprefix(self._base)
        separator = "&" if "?" in place else "?"
        path = f"{place}{separator}digest={_digest(content)}"
        self._request("PUT", path, content, "application/octet-stream").close()

    def _put_manifest(self, repository: str, tag: str, manifest: JSON) -> str:
        content = json.dumps(manifest).encode()
        path = f"/v2/{repository}/manifests/{tag}"
        self._request("PUT", path, content, manifest["mediaType"]).close()
        return _digest(content)

    def _request(self, method: str, path: str, content: bytes, kind: str = "") -> Any:
        headers = self._headers | ({"Content-Type": kind, "Accept": kind} if kind else {})
        url = f"{self._base}{path}"
        request = urllib.request.Request(url, content or None, headers, method=method)  # noqa: S310 - on loopback
        return urllib.request.urlopen(request, timeout=20)  # noqa: S310 - on loopback


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
