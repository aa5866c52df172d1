"""One call in the memory: compared while its requests arrive, given or kept at its end.

The key of a call is a chain of SHA-256 digests: of what is called and with which parameters, then
of each request, then of the end. So a stream is compared while it arrives: a call that cannot be
known any more is made at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from orchestrator.call_memory.digests import files_of
from orchestrator.call_memory.errors import NotRememberableError
from orchestrator.call_memory.index import KeptAnswer, KeptCall, KeptFile
from orchestrator.call_memory.placing import bring_files, find_folder
from orchestrator.call_memory.references import ITEM, from_template, normalise, to_template
from orchestrator.engine.call_memory import Answer, Known

if TYPE_CHECKING:
    from orchestrator.call_memory.memory import RunCalls
    from orchestrator.engine.plan import Step

logger = logging.getLogger(__name__)

T = TypeVar("T")

# What a call may have at most to be remembered: a stream that waits to be compared stays bounded.
_MAX_MESSAGES: Final = 4_096
_MAX_BYTES: Final = 16 * 1024 * 1024


class RunCall:
    """One call. What has arrived is digested when somebody asks, in a thread."""

    def __init__(self, run: RunCalls, step: Step) -> None:
        self._run = run
        self._step = step
        self._beginnings: list[str] = []
        self._hrefs: list[str] = []
        self._requests: list[bytes] = []
        self._digested = 0
        self._answers: list[Answer] = []
        self._bytes = 0
        self._lost = False

    def add(self, request: bytes) -> None:
        """Take the next request."""
        self._hold(request)
        if not self._lost:
            self._requests.append(request)

    def answered(self, answer: Answer) -> None:
        """Take the next answer of a call that is made."""
        self._hold(answer.payload)
        if not self._lost:
            self._answers.append(answer)

    async def may_be_known(self) -> bool:
        """Whether a remembered call began with the requests so far."""
        return bool(await self._in_thread(self._may_be_known))

    async def recall(self) -> Known | None:
        """Return the whole call with these requests, its files in place, or None."""
        return await self._in_thread(self._recall)

    async def keep(self, notices: Sequence[str] = ()) -> None:
        """Remember the call."""
        await self._in_thread(lambda: self._keep(notices))

    def _hold(self, payload: bytes) -> None:
        self._bytes += len(payload)
        number = len(self._requests) + len(self._answers)
        if self._bytes > _MAX_BYTES or number >= _MAX_MESSAGES:
            self._give_up()

    def _give_up(self) -> None:
        self._lost = True
        self._requests.clear()
        self._answers.clear()

    async def _in_thread(self, action: Callable[[], T]) -> T | None:
        if self._lost:
            return None
        try:
            return await asyncio.to_thread(self._run.attempt, action)
        except (NotRememberableError, OSError) as error:
            logger.debug("%s is not remembered: %s", self._step.key, error)
            self._give_up()
            return None
        finally:
            self._run.tell()

    def _may_be_known(self) -> bool:
        index = self._run.index
        # Files are read only where anything of this operation is remembered.
        return index.begins(self._run.start_of(self._step)) and index.begins(self._digest())

    def _recall(self) -> Known | None:
        run, step, key = self._run, self._step, self._key()
        call = run.index.call(key)
        if call is None:
            return None
        source = find_folder(call, run.digests)
        target = run.shared.root / step.node
        try:
            if source is None:
                raise NotRememberableError("its files are gone")
            answers = [
                Answer(self._from_template(answer.template), answer.received)
                for answer in call.answers
            ]
            bring_files(call.files, source, target, run.digests)
        except (OSError, NotRememberableError):
            run.index.forget(key)
            return None
        run.index.used(key, target)
        return Known(answers, call.notices)

    def _keep(self, notices: Sequence[str]) -> None:
        key = self._key()
        folder = self._run.shared.root / self._step.node
        templates, paths = [], []
        for answer in self._answers:
            template, own = to_template(
                answer.payload, self._step.output_message, self._step.node, self._hrefs
            )
            templates.append(KeptAnswer(template, answer.received))
            paths += own
        if self._step.output_message != ITEM and folder.exists():
            raise NotRememberableError("it wrote files of which its answers tell nothing we know")
        self._run.index.keep(
            KeptCall(
                key,
                f"{self._step.service}/{self._step.operation}",
                templates,
                self._files(folder, paths),
                [folder],
                self._beginnings if self._step.client_streaming else (),
                notices,
            )
        )

    def _files(self, folder: Path, paths: Sequence[str]) -> list[KeptFile]:
        """Return the files at these paths, those of folders one by one."""
        found: dict[str, KeptFile] = {}
        for name in dict.fromkeys(paths):
            path = self._run.shared.path(f"{self._step.node}/{name}")
            if not path.exists() or not path.is_relative_to(folder):
                raise NotRememberableError(f"{name} is not a file of the node")
            for file in files_of(path):
                digest = self._run.digests.of(file)
                status = file.stat()
                below = file.relative_to(folder).as_posix()
                found[below] = KeptFile(below, status.st_size, status.st_mtime_ns, digest)
        return list(found.values())

    def _from_template(self, template: bytes) -> bytes:
        return from_template(template, self._step.output_message, self._step.node, self._hrefs)

    def _digest(self) -> str:
        """Return the digest of the call so far."""
        if not self._beginnings:
            self._beginnings.append(self._run.start_of(self._step))
        for request in self._requests[self._digested :]:
            content, hrefs = normalise(
                request, self._step.input_message, self._run.shared, self._run.digests
            )
            total = hashlib.sha256(self._beginnings[-1].encode())
            total.update(len(content).to_bytes(8, "little") + content)
            self._beginnings.append(total.hexdigest())
            self._hrefs += hrefs
            self._digested += 1
        return self._beginnings[-1]

    def _key(self) -> str:
        return hashlib.sha256(f"{self._digest()} end".encode()).hexdigest()
