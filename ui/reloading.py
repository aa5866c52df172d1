"""Pages that load themselves again where a part of their code was lost on the way.

Browsers drop what they are loading when the network of the machine changes, even from the machine
itself, and every container that starts or ends changes it: Chromium calls that
ERR_NETWORK_CHANGED. Streamlit loads its code in many small files, some only when they are needed.
It would leave the page white, or with an error where a button should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Only from a server that answers: where it is away, the page that is there is all that there is.
SCRIPT: Final = """<script>
(() => {
  const KEPT = "eoloom-reloads", AT_MOST = 5, QUIET_MS = 20000;
  let asked = false;
  async function again() {
    if (asked) return;
    asked = true;
    const count = Number(sessionStorage.getItem(KEPT));
    if (count >= AT_MOST) return tell();
    await pause(300 * 2 ** count);
    while (!(await answers())) await pause(1000);
    sessionStorage.setItem(KEPT, count + 1);
    location.reload();
  }
  const pause = (duration) => new Promise((resolve) => setTimeout(resolve, duration));
  const answers = () =>
    fetch(new URL("_stcore/health", document.baseURI)).then((answer) => answer.ok, () => false);
  function tell() {
    const root = document.getElementById("root");
    if (root && !root.childElementCount)
      root.textContent = "EO Loom's page could not be loaded completely. Please load it again.";
  }
  addEventListener("error", ({ target }) => {
    if (target instanceof HTMLScriptElement || target?.rel === "stylesheet") again();
  }, true);
  addEventListener("vite:preloadError", again);
  setTimeout(() => asked || sessionStorage.removeItem(KEPT), QUIET_MS);
})();
</script>"""
_HEAD: Final = b"<head>"


def reloading(app: ASGIApp) -> ASGIApp:
    """Return an application whose pages have the script in their heads."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and _is_page(scope["path"]):
            scope, send = _uncompressed(scope), _Inserting(send).send
        await app(scope, receive, send)

    return answer


def _is_page(path: str) -> bool:
    """Whether a path is that of a page, such as `/runs`; files and routes lie deeper."""
    return path.rfind("/") == 0 and "." not in path


def _uncompressed(scope: Scope) -> Scope:
    """Return the request as that of somebody who reads plain text only."""
    headers = [pair for pair in scope["headers"] if pair[0].lower() != b"accept-encoding"]
    return {**scope, "headers": headers}


class _Inserting:
    """Passes on an answer; where it is HTML, as a whole and with the script."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        """Take what the application sends."""
        if message["type"] == "http.response.start" and _is_html(message):
            self._start = message
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_whole(self._start)
        else:
            await self._send(message)

    async def _send_whole(self, start: Message) -> None:
        body = self._body.replace(_HEAD, _HEAD + SCRIPT.encode(), 1)
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["Content-Length"] = str(len(body))
        # They stand for Streamlit's file, and a browser would keep an older script by them.
        for name in ("ETag", "Last-Modified"):
            if name in headers:
                del headers[name]
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


def _is_html(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("Content-Type", "").startswith("text/html")
