"""A small Kubernetes API server on loopback, for the official client.

Discovery, server-side apply with field managers, lists in pages, watches with bookmarks, deletion,
the scale subresource, logs, commands and forwarded ports, and faults on demand. What is applied
is checked strictly against the schemas of Kubernetes 1.36. The interface that it keeps is HTTP;
`tests/orchestrator/kubernetes/test_control_plane.py` asks the same of a real API server.
"""

import asyncio
import copy
import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import kubernetes_validate
import yaml
from aiohttp import WSMsgType, web

from tests.fakes.kubernetes_controllers import RESTRICTED, Controllers, Outcome, insecure
from tests.fakes.kubernetes_store import Key, Object, RefusalError, Store
from tests.web_servers import end

TOKEN = "the-token"  # noqa: S105 - of the fake alone

_KINDS: dict[str, list[tuple[str, str, bool]]] = {
    "v1": [
        ("Namespace", "namespaces", False),
        ("Pod", "pods", True),
        ("Service", "services", True),
        ("ServiceAccount", "serviceaccounts", True),
        ("Secret", "secrets", True),
        ("ConfigMap", "configmaps", True),
        ("Event", "events", True),
        ("PersistentVolumeClaim", "persistentvolumeclaims", True),
        ("PersistentVolume", "persistentvolumes", False),
        ("ResourceQuota", "resourcequotas", True),
        ("LimitRange", "limitranges", True),
    ],
    "apps/v1": [("Deployment", "deployments", True)],
    "batch/v1": [("Job", "jobs", True)],
    "networking.k8s.io/v1": [
        ("NetworkPolicy", "networkpolicies", True),
        ("Ingress", "ingresses", True),
    ],
    "autoscaling/v2": [("HorizontalPodAutoscaler", "horizontalpodautoscalers", True)],
    "policy/v1": [("PodDisruptionBudget", "poddisruptionbudgets", True)],
}
_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[a-z]+))?$"
)


@dataclass
class Fault:
    """An answer instead of the right one, so many times."""

    method: str
    path: re.Pattern[str]
    times: int
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Object = field(default_factory=dict)
    drop: bool = False


class FakeKubernetes:
    """The server, in a thread of its own; a context manager.

    requests: method and path of all that came. volume: the folder in which commands in pods find
    what the pods mount. break_after: bytes after which a command's connection breaks, once each.
    """

    def __init__(self) -> None:
        self.store = Store()
        self.controllers = Controllers(self.store)
        self.requests: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.volume = Path()
        self.break_after: list[int] = []
        self.forward_to: dict[int, int] = {}
        self.bookmark_s = 0.2
        self.page = 500
        self.url = ""
        self._watches = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = threading.Event()
        self._stopped = asyncio.Event()

    def __enter__(self) -> "FakeKubernetes":
        self._thread.start()
        assert self._started.wait(10)
        self.add_namespace("eo")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server; may be called twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(10)

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig with two contexts, `fake` and `other`; return its path."""
        path = folder / "kubeconfig"
        context = {"cluster": "fake", "user": "me", "namespace": "eo"}
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
                    "users": [
                        {"name": "me", "user": {"token": TOKEN}},
                        {"name": "stranger", "user": {"token": "old"}},
                    ],
                    "contexts": [
                        {"name": "fake", "context": context},
                        {"name": "other", "context": context | {"user": "stranger"}},
                    ],
                    "current-context": "fake",
                }
            )
        )
        return path

    def add_namespace(self, name: str, *, restricted: bool = False) -> None:
        labels = {RESTRICTED: "restricted"} if restricted else {}
        key = Key("namespaces", "", name)
        self.store.remove(key)
        self.store.create(key, {"metadata": {"labels": labels}})

    def set_outcome(self, node: str, outcome: Outcome) -> None:
        with self.store.lock:
            self.controllers.outcomes[node] = outcome

    def names(self, plural: str) -> list[str]:
        return sorted(each["metadata"]["name"] for each in self.store.of(plural))

    def fail(
        self,
        method: str,
        path: str,
        status: int = 0,
        *,
        times: int = 1,
        headers: dict[str, str] | None = None,
        message: str = "scripted",
    ) -> None:
        """Answer the next requests with a status, or drop their connections where it is 0."""
        body = {"kind": "Status", "message": message, "code": status}
        self.faults.append(
            Fault(method, re.compile(path), times, status, headers or {}, body, drop=status == 0)
        )

    def drop_watches(self) -> None:
        """Break off all watches that are open."""
        self._watches += 1

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=8 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        work = asyncio.create_task(self._work())
        self._started.set()
        await self._stopped.wait()
        work.cancel()
        await end(runner)

    async def _work(self) -> None:
        while True:
            self.controllers.work()
            await asyncio.sleep(0.02)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _json({"kind": "Status", "message": "Unauthorized"}, 401)
        for fault in self.faults:
            if fault.times and fault.method == request.method and fault.path.search(request.path):
                fault.times -= 1
                if fault.drop:
                    assert request.transport is not None
                    request.transport.abort()
                return _json(fault.body, fault.status or 500, fault.headers)
        try:
            return await self._dispatch(request)
        except RefusalError as refusal:
            return _json(refusal.body, refusal.code)
        except ConnectionResetError:  # the client has gone
            return web.Response()

    async def _dispatch(  # noqa: PLR0911 - one for each kind of request
        self, request: web.Request
    ) -> web.StreamResponse:
        found = self._discover(request.path)
        if found is not None:
            return _json(found)
        match = _PATH.match(request.path)
        if match is None:
            raise RefusalError(404, "NotFound", "the server could not find the requested resource")
        namespace, plural, name, sub = match.group("namespace", "plural", "name", "sub")
        if namespace and Key("namespaces", "", namespace) not in self.store.objects:
            raise RefusalError(404, "NotFound", f'namespaces "{namespace}" not found')
        key = Key(plural, namespace or "", name or "")
        if sub in {"exec", "portforward"}:
            return await (self._exec if sub == "exec" else self._forward)(request, key)
        if sub == "log":
            return await self._log(request, key)
        if sub == "scale":
            body = await request.json()
            path = ("spec", "replicas")
            manager = request.query["fieldManager"]
            return _json(self.store.edit(key, path, body["spec"]["replicas"], manager))
        if request.method == "GET" and request.query.get("watch") == "true":
            return await self._watch(request, key)
        if request.method == "GET":
            return _json(self.store.get(key) if name else self._list(request, key))
        if request.method == "PATCH":
            return await self._apply(request, key)
        if request.method == "DELETE":
            return _json(await self._delete(request, key))
        raise RefusalError(405, "MethodNotAllowed", request.method)

    def _discover(self, path: str) -> Object | None:
        version = path.removeprefix("/apis/").removeprefix("/api/")
        if version in _KINDS:
            resources = [
                {"name": plural, "kind": kind, "namespaced": namespaced}
                for kind, plural, namespaced in _KINDS[version]
            ]
            status = {"name": f"{resources[0]['name']}/status", "kind": "X", "namespaced": True}
            return {"kind": "APIResourceList", "resources": [status, *resources]}
        for known in _KINDS:
            if path == f"/apis/{known.partition('/')[0]}":
                return {"kind": "APIGroup", "preferredVersion": {"groupVersion": known}}
        return None

    def _list(self, request: web.Request, key: Key) -> Object:
        selector = request.query.get("labelSelector", "")
        found = [
            {field: value for field, value in each.items() if field not in {"apiVersion", "kind"}}
            for each in self.store.of(key.plural)
            if _matches(each, key.namespace, selector)
        ]
        start = int(request.query.get("continue", "0"))
        limit = min(self.page, int(request.query.get("limit", "1000")))
        metadata: Object = {"resourceVersion": str(self.store.version)}
        if start + limit < len(found):
            metadata["continue"] = str(start + limit)
        return {"kind": "List", "metadata": metadata, "items": found[start : start + limit]}

    async def _apply(self, request: web.Request, key: Key) -> web.Response:
        if request.content_type != "application/apply-patch+yaml":
            raise RefusalError(415, "UnsupportedMediaType", request.content_type)
        applied = yaml.safe_load(await request.text())
        dry_run = request.query.get("dryRun") == "All"
        force = request.query.get("force") == "true"
        try:
            kubernetes_validate.validate(applied, "1.36", strict=True)
        except kubernetes_validate.ValidationError as error:
            raise RefusalError(422, "Invalid", f"{key.name}: {error.message}") from error
        is_new = key not in self.store.objects
        manager = request.query["fieldManager"]
        stored = self.store.apply(key, applied, manager, force=force, dry_run=dry_run)
        return _json(stored, 201 if is_new else 200, self._warnings(key, applied))

    def _warnings(self, key: Key, applied: Object) -> dict[str, str]:
        template = applied.get("spec", {}).get("template")
        if not template:
            return {}
        namespace = self.store.get(Key("namespaces", "", key.namespace))
        if RESTRICTED not in namespace["metadata"]["labels"]:
            return {}
        fault = insecure(template).replace('"', '\\"')
        return {"Warning": f'299 - "would {fault}"'} if fault else {}

    async def _delete(self, request: web.Request, key: Key) -> Object:
        found = self.store.get(key)
        body = await request.json() if request.can_read_body else {}
        if body.get("propagationPolicy") == "Foreground" or key.name in self.controllers.held:
            return self.store.mark_deleted(key, "foregroundDeletion")
        self.store.remove(key)
        return found

    async def _watch(self, request: web.Request, key: Key) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        version, watches = int(request.query["resourceVersion"]), self._watches
        selector = request.query.get("labelSelector", "")
        quiet = 0.0
        while watches == self._watches and not self._stopped.is_set():
            try:
                events = self.store.since(version, key.plural)
            except RefusalError as refusal:
                await _send(response, {"type": "ERROR", "object": refusal.body})
                return response
            for event in events:
                version = event.version
                if _matches(event.object, key.namespace, selector):
                    await _send(response, {"type": event.type, "object": event.object})
            quiet = 0.0 if events else quiet + 0.02
            if quiet >= self.bookmark_s:
                quiet, version = 0.0, self.store.version
                metadata = {"resourceVersion": str(version)}
                await _send(response, {"type": "BOOKMARK", "object": {"metadata": metadata}})
            await asyncio.sleep(0.02)
        if request.transport is not None:  # else the client has gone first
            request.transport.abort()
        return response

    async def _log(self, request: web.Request, key: Key) -> web.StreamResponse:
        query = request.query
        response = web.StreamResponse()
        sent = 0
        stamps: list[str] = []
        while True:
            outcome = self.controllers.outcome_of(self.store.get(key))
            lines = outcome.previous if query.get("previous") else outcome.log
            if not response.prepared:
                await response.prepare(request)
            stamps += [f"2026-01-01T00:00:{n:02d}Z" for n in range(len(stamps), len(lines))]
            first = max(sent, len(lines) - int(query.get("tailLines", "9999")))
            for stamp, line in list(zip(stamps, lines, strict=False))[first:]:
                if stamp >= query.get("sinceTime", ""):
                    text = f"{stamp} {line}" if query.get("timestamps") else line
                    await response.write(f"{text}\n".encode())
            sent = len(lines)
            if not query.get("follow") or self._stopped.is_set():
                return response
            if key not in self.store.objects or outcome.status.get("phase") == "Succeeded":
                return response
            await asyncio.sleep(0.02)

    async def _exec(self, request: web.Request, key: Key) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=["v4.channel.k8s.io"])
        await socket.prepare(request)
        mount = self.store.get(key)["spec"]["containers"][0]["volumeMounts"][0]["mountPath"]
        command = [
            str(self.volume) if part == mount else part for part in request.query.getall("command")
        ]
        limit = self.break_after.pop(0) if self.break_after else None
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stderr is not None
        await socket.send_bytes(b"\x01")  # as a cluster does: it is connected
        sent = 0
        while chunk := await process.stdout.read(1000):
            await socket.send_bytes(b"\x01" + chunk)
            sent += len(chunk)
            if limit is not None and sent >= limit:
                process.kill()
                await process.communicate()
                assert request.transport is not None
                request.transport.abort()
                return socket
        said = await process.stderr.read()
        if said:
            await socket.send_bytes(b"\x02" + said)
        is_good = await process.wait() == 0
        status = {"status": "Success" if is_good else "Failure", "message": "command terminated"}
        await socket.send_bytes(b"\x03" + json.dumps(status).encode())
        await socket.close()
        return socket

    async def _forward(self, request: web.Request, key: Key) -> web.StreamResponse:
        port = int(request.query["ports"])
        socket = web.WebSocketResponse(protocols=["v4.channel.k8s.io"])
        await socket.prepare(request)
        for channel in (b"\0", b"\1"):
            await socket.send_bytes(channel + port.to_bytes(2, "little"))
        if port not in self.forward_to:
            await socket.send_bytes(b"\1" + f"nobody listens on {port} of {key.name}".encode())
            await socket.close()
            return socket
        reader, writer = await asyncio.open_connection("127.0.0.1", self.forward_to[port])

        async def back() -> None:
            while chunk := await reader.read(1000):
                await socket.send_bytes(b"\0" + chunk)
            await socket.close()

        task = asyncio.create_task(back())
        async for message in socket:
            if message.type == WSMsgType.BINARY:
                writer.write(message.data[1:])
        writer.close()
        await task
        return socket


def _matches(an_object: Object, namespace: str, selector: str) -> bool:
    metadata = an_object["metadata"]
    if namespace and metadata.get("namespace") != namespace:
        return False
    labels = metadata.get("labels", {})
    for term in filter(None, unquote(selector).split(",")):
        name, equals, value = term.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(copy.deepcopy(body), status=status, headers=headers)


async def _send(response: web.StreamResponse, event: Object) -> None:
    await response.write(json.dumps(event).encode() + b"\n")
