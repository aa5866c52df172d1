"""What messages refer to: files by content for the key of a call, and by place for its answers.

An `Item` is known by its full name. Every other message counts as the bytes that it is.

What an href in a request stands for:

    path in the shared folder   name and content digest of the file; of the whole product where
                                the file is a part of one, because components read its neighbours
    URL with `file:checksum`    itself: the message says what lies there
    any other URL               unknown content: the call is not remembered

An answer is kept with `eoloom-own:` for paths in the node's own folder, and `eoloom-input:` for a
path that came with a request, so that it can be given in a run with other folders.
https://github.com/stac-extensions/file says what `file:checksum` is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError

from orchestrator.call_memory.errors import NotRememberableError
from protos.common.v1.item_pb2 import Asset, Item

if TYPE_CHECKING:
    from orchestrator.call_memory.digests import FileDigests

ITEM: Final = Item.DESCRIPTOR.full_name

_OWN: Final = "eoloom-own:"
_INPUT: Final = "eoloom-input:"
# Folders that are one product: whoever is given a part of it reads others as well.
_PRODUCTS: Final = frozenset({".safe", ".sen3", ".zarr"})


class SharedFolder:
    """The shared folder of a run; nothing outside is ever looked at."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def path(self, href: str) -> Path:
        """Return where a relative href lies. Raises NotRememberableError if it leads outside."""
        try:
            path = (self.root / href).resolve()
        except (ValueError, OSError, RuntimeError) as error:
            raise NotRememberableError(f"{href!r} is not a path") from error
        if not href or Path(href).is_absolute() or not path.is_relative_to(self.root):
            raise NotRememberableError(f"{href!r} is not a path in the shared folder")
        return path

    def content(self, href: str, digests: FileDigests) -> str:
        """Return name and digest of what an href refers to."""
        path = self.path(href)
        product = _product_of(path, self.root)
        name = path.relative_to(product.parent).as_posix()
        return f"{name}\0{digests.of(product)}"


def normalise(
    request: bytes, message: str, shared: SharedFolder, digests: FileDigests
) -> tuple[bytes, list[str]]:
    """Return what is equal for equal requests, and the local hrefs in the request, in order.

    Raises NotRememberableError where the content of what it refers to cannot be known.
    """
    if message != ITEM:
        return request, []
    item = _read(request)
    hrefs = []
    for asset in item.assets:
        if urlsplit(asset.href).scheme:
            _check_remote(asset)
            continue
        hrefs.append(asset.href)
        asset.href = shared.content(asset.href, digests)
    return item.SerializeToString(deterministic=True), hrefs


def params_content(params: Mapping[str, Any], digests: FileDigests) -> str:
    """Return what is equal for equal parameters: files that they name count with their content.

    Raises NotRememberableError for URLs and for files that cannot be read.
    """
    found: dict[str, str] = {}
    for text in _texts(params):
        if "://" in text or text.startswith("/vsi"):
            raise NotRememberableError(f"the content of {text!r} is not known")
        path = Path(text)
        if len(text) < 4096 and "\0" not in text and path.is_absolute() and path.exists():
            found[text] = digests.of(path)
    return json.dumps([params, found], sort_keys=True)


def to_template(
    answer: bytes, message: str, node: str, inputs: Sequence[str]
) -> tuple[bytes, list[str]]:
    """Return an answer as it is kept, and the paths of its files below the node's folder.

    Raises NotRememberableError where it refers to files of others that no request has named.
    """
    if message != ITEM:
        return answer, []
    item = _read(answer)
    own: list[str] = []
    for asset in item.assets:
        href = asset.href
        if href.startswith((_OWN, _INPUT)):
            raise NotRememberableError(f"{href!r} cannot be told from our own mark")
        if urlsplit(href).scheme:
            continue
        if href in inputs:
            asset.href = f"{_INPUT}{inputs.index(href)}"
            continue
        first, _, rest = href.partition("/")
        if first != node or not rest or ".." in PurePosixPath(rest).parts:
            raise NotRememberableError(f"{href!r} is not a file of the node")
        own.append(rest)
        asset.href = f"{_OWN}{rest}"
    template = item.SerializeToString(deterministic=True)
    if from_template(template, message, node, inputs) != answer:
        raise NotRememberableError("the answer would not come back byte by byte")
    return template, own


def from_template(template: bytes, message: str, node: str, inputs: Sequence[str]) -> bytes:
    """Return a kept answer as an answer of `node` to requests with these hrefs.

    Raises NotRememberableError where it does not fit.
    """
    if message != ITEM:
        return template
    item = _read(template)
    for asset in item.assets:
        if asset.href.startswith(_OWN):
            asset.href = f"{node}/{asset.href.removeprefix(_OWN)}"
        elif asset.href.startswith(_INPUT):
            try:
                asset.href = inputs[int(asset.href.removeprefix(_INPUT))]
            except (ValueError, IndexError) as error:
                raise NotRememberableError("an answer refers to an unknown request") from error
    return item.SerializeToString(deterministic=True)


def _read(payload: bytes) -> Item:
    try:
        return Item.FromString(payload)
    except DecodeError as error:
        raise NotRememberableError(f"not an Item: {error}") from error


def _check_remote(asset: Asset) -> None:
    try:
        properties = json.loads(asset.properties) if asset.properties else {}
    except ValueError:
        properties = {}
    if not isinstance(properties, dict) or not properties.get("file:checksum"):
        raise NotRememberableError(f"the content of {asset.href} is not known")


def _product_of(path: Path, root: Path) -> Path:
    """Return the outermost product folder that a file is part of, or the file itself."""
    within = [
        folder
        for folder in (path, *path.parents)
        if folder.is_relative_to(root) and folder.suffix.lower() in _PRODUCTS and folder.is_dir()
    ]
    return within[-1] if within else path


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _texts(below)
