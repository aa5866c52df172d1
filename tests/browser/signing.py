"""A proxy that signs one person in, as oauth2-proxy does: it tells the page who that is."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from aiohttp import ClientSession, ClientWebSocketResponse, WSMessage, WSMsgType, web

from tests.web_servers import end

_OF_ONE_CONNECTION = {"connection", "content-encoding", "content-length", "transfer-encoding"}
_OF_A_WEBSOCKET = {"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"}
_HEADER = "X-Forwarded-User"
_TOKEN_HEADER = "X-Forwarded-Access-Token"  # noqa: S105 - the name of a header
_TOLD = {_HEADER.lower(), _TOKEN_HEADER.lower()}


@contextlib.contextmanager
def signed_in(user: str, url: str, token: str = "") -> Iterator[str]:
    """Give the address at which the page at `url` knows its user, and has a token of theirs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    proxy = _Proxy(url, {_HEADER: user, **({_TOKEN_HEADER: token} if token else {})})
    try:
        port = asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(20)
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


class _Proxy:
    def __init__(self, url: str, told: dict[str, str]) -> None:
        self._url = url
        self._told = told
        self._runner: web.AppRunner | None = None
        self._client: ClientSession | None = None

    async def start(self) -> int:
        """Listen, and return the port."""
        self._client = ClientSession(auto_decompress=False)
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()
        if self._runner is not None:
            await end(self._runner)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        assert self._client is not None
        # Whatever the browser says of it counts for nothing.
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _OF_ONE_CONNECTION | _OF_A_WEBSOCKET | _TOLD
        }
        headers |= self._told
        address = f"{self._url}{request.rel_url}"
        if request.headers.get("Upgrade", "").lower() == "websocket":
            headers.pop("Upgrade", None)
            return await self._websocket(request, address, headers)
        body = await request.read()
        async with self._client.request(
            request.method, address, headers=headers, data=body, allow_redirects=False
        ) as found:
            kept = {
                name: value
                for name, value in found.headers.items()
                if name.lower() not in _OF_ONE_CONNECTION - {"content-encoding"}
            }
            return web.Response(status=found.status, headers=kept, body=await found.read())

    async def _websocket(
        self, request: web.Request, address: str, headers: dict[str, str]
    ) -> web.WebSocketResponse:
        assert self._client is not None
        protocols = [p.strip() for p in headers.pop("Sec-WebSocket-Protocol", "").split(",") if p]
        browser = web.WebSocketResponse(protocols=protocols, max_msg_size=0)
        await browser.prepare(request)
        async with self._client.ws_connect(
            address, protocols=protocols, headers=headers, max_msg_size=0
        ) as page:
            both = (_passed_on(browser, page), _passed_on(page, browser))
            tasks = [asyncio.ensure_future(each) for each in both]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return browser


async def _passed_on(
    source: web.WebSocketResponse | ClientWebSocketResponse,
    target: web.WebSocketResponse | ClientWebSocketResponse,
) -> None:
    message: WSMessage
    async for message in source:
        if message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type is WSMsgType.TEXT:
            await target.send_str(message.data)
