"""One rpc in progress, as a service method sees it: parameters, storage, progress, warnings."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from components.kit.errors import InputError
from components.kit.storage import Storage

logger = logging.getLogger(__name__)

P = TypeVar("P", bound=BaseModel)

PARAMS_KEY = "eoloom-params"
RUN_KEY = "eoloom-run"
NODE_KEY = "eoloom-node"
# In the metadata with which a call ends: its warnings, as a JSON array of texts.
NOTICES_KEY = "eoloom-notices-bin"

# Other orchestrators take 8 KiB of metadata only.
_NOTICES_LIMIT_BYTES = 4000

# Names become folder names, so nothing that could climb out of the shared folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

# More frequent reports would cost more than they tell a person.
_PROGRESS_INTERVAL_S = 0.2


class CallCancelledError(BaseException):
    """The caller has gone; unwinds the worker thread.

    Not an Exception, so that a component's own error handling does not catch it.
    """


@dataclass
class Call(Generic[P]):
    """What a service method gets beside its message or messages.

    params: the validated parameters of this call. run, node, operation: whose call it is.
    storage: where files are read and written. cancelled: set when the caller has gone. notices:
    the warnings so far.
    """

    params: P
    run: str
    node: str
    operation: str
    storage: Storage
    cancelled: threading.Event = field(default_factory=threading.Event)
    notices: list[str] = field(default_factory=list)
    _reported_at: float = 0.0

    def progress(self, done: float, total: float, message: str = "") -> None:
        """Report that `done` of `total` is done; shown live. Raises if the caller has gone."""
        self.check_cancelled()
        now = time.monotonic()
        if done < total and now - self._reported_at < _PROGRESS_INTERVAL_S:
            return
        self._reported_at = now
        report = {"done": float(done), "total": float(total), "message": message}
        logger.info("progress %g/%g %s", done, total, message, extra={"progress": report})

    def warn(self, message: str) -> None:
        """Tell the user something that did not stop the work but that they should know."""
        self.notices.append(message)
        logger.warning(message, extra={"notice": True})

    def check_cancelled(self) -> None:
        """Raise if the caller has gone, so that long work ends."""
        if self.cancelled.is_set():
            raise CallCancelledError


def encode_notices(notices: Iterable[str]) -> bytes:
    """Return the warnings of a call as metadata; those that do not fit are left out."""
    text, chosen = b"[]", []
    for notice in notices:
        chosen.append(notice)
        longer = json.dumps(chosen, ensure_ascii=False).encode("utf-8", "replace")
        if len(longer) > _NOTICES_LIMIT_BYTES:
            break
        text = longer
    return text


def read_metadata(metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    """Return the text entries of gRPC invocation metadata."""
    return {key: value for key, value in metadata if isinstance(value, str)}


def parse_params(model: type[P], text: str | None) -> P:
    """Return the parameters in a JSON text, or the defaults where there is none.

    Raises InputError that names each wrong parameter with its value.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant) if text else {}
    except (ValueError, RecursionError) as error:
        raise InputError(f"the parameters are not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"the parameters must be a JSON object, not {type(document).__name__}")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'parameters'}: {fault['msg']}"
            + ("" if fault["type"] == "missing" else f" (got {fault['input']!r:.200})")
            for fault in error.errors()
        )
        raise InputError(f"wrong parameters: {faults}") from error


def _refuse_constant(text: str) -> object:
    # Python reads NaN and Infinity, which are no JSON and would pass as numbers.
    raise ValueError(f"{text} is not a JSON number")


def parse_name(text: str, what: str) -> str:
    """Return `text` if it can be a folder's name; raise InputError otherwise."""
    if not _NAME.fullmatch(text):
        raise InputError(f"{what} {text!r} is not a name (letters, digits, '.', '_', '-')")
    return text
