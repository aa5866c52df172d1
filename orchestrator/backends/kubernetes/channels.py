"""Bytes to and from a pod, by the websockets of the API server: commands and forwarded ports.

Frames are moved one at a time, so that a slow reader holds the sender back and nothing piles up.
Each begins with the number of its channel (protocol v4.channel.k8s.io).
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlencode

from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.errors import ClusterError
from orchestrator.backends.kubernetes.objects import ObjectKey

logger = logging.getLogger(__name__)

_STDOUT: Final = 1
_STDERR: Final = 2
_ERROR: Final = 3
_CHUNK: Final = 64 * 1024
_SILENCE_S: Final = 300.0


def run_in_pod(
    cluster: Cluster, pod: ObjectKey, container: str, command: Sequence[str]
) -> Iterator[bytes]:
    """Run a command in a container and yield what it writes to its standard output.

    Raises ClusterError where it cannot be run or fails, with its last words, and ConnectionError
    where the connection breaks before its end.
    """
    query = [("command", part) for part in command]
    query += [("container", container), ("stdout", "true"), ("stderr", "true")]
    connection = _connect(cluster, pod, "exec", query)
    said = b""
    try:
        while True:
            channel, data = _receive(connection)
            if not data:
                continue  # with an empty frame the cluster says that it is connected
            if channel == _STDOUT:
                yield data
            elif channel == _STDERR:
                said = (said + data)[-2000:]
            elif channel == _ERROR:
                _check(json.loads(data), pod, said)
                return
    finally:
        _end(connection)


class PortForward:
    """A port of a pod as a port of this machine, on loopback only; a context manager.

    local_port: 0 lets the system choose; `port` is the one. Every connection gets a websocket of
    its own. Raises ClusterError where the local port is taken.
    """

    def __init__(
        self, cluster: Cluster, pod: ObjectKey, remote_port: int, local_port: int = 0
    ) -> None:
        self._cluster = cluster
        self._pod = pod
        self._remote_port = remote_port
        self.failure = ""
        """Why the last connection could not be forwarded; empty while all is well."""
        try:
            self._server = socket.create_server(("127.0.0.1", local_port))
        except OSError as error:
            raise ClusterError(f"port {local_port} of this machine: {error.strerror}") from error
        self.port = int(self._server.getsockname()[1])

    def __enter__(self) -> PortForward:
        threading.Thread(target=self._accept, name=f"forward-{self.port}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone does not wake up a thread that accepts.
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                local, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(local,), daemon=True).start()

    def _serve(self, local: socket.socket) -> None:
        with local:
            try:
                query = [("ports", str(self._remote_port))]
                connection = _connect(self._cluster, self._pod, "portforward", query)
            except (ClusterError, OSError) as error:
                self.failure = str(error)
                return
            back = threading.Thread(target=self._to_local, args=(connection, local), daemon=True)
            back.start()
            with suppress(OSError):
                while data := local.recv(_CHUNK):
                    connection.send_binary(b"\0" + data)
            # The protocol knows no half-closed connection: who has ended here wants no answer.
            _end(connection)
            back.join()

    def _to_local(self, connection: Any, local: socket.socket) -> None:
        opened: set[int] = set()
        try:
            while True:
                channel, data = _receive(connection)
                if channel not in opened:
                    opened.add(channel)  # the first frame of each only repeats the port
                elif channel == 0:
                    local.sendall(data)
                else:
                    self.failure = data.decode(errors="replace")
                    return
        except OSError as error:
            logger.debug("the forwarded connection ended: %s", error)
        finally:
            with suppress(OSError):
                local.shutdown(socket.SHUT_RDWR)


def _connect(
    cluster: Cluster, pod: ObjectKey, subresource: str, query: Sequence[tuple[str, str]]
) -> Any:
    """Return a websocket to a subresource of a pod. Raises ClusterError."""
    from kubernetes.stream.ws_client import create_websocket, get_websocket_url
    from websocket import WebSocketException

    path = cluster.resource(pod.api_version, pod.kind).path(pod.namespace, pod.name, subresource)
    headers: dict[str, str] = {}
    cluster.client.update_params_for_auth(headers, None, ["BearerToken"], path, "GET", None)
    # The library looks for names in lower case, as HTTP allows.
    headers = {name.lower(): value for name, value in headers.items()}
    headers["sec-websocket-protocol"] = "v4.channel.k8s.io"
    url = f"{get_websocket_url(cluster.host + path)}?{urlencode(query)}"
    try:
        connection = create_websocket(cluster.client.configuration, url, headers)
    except (WebSocketException, OSError) as error:
        raise ClusterError(
            f"{pod}: {subresource} does not work: {error} (it takes the permission to create "
            f"pods/{subresource})"
        ) from error
    connection.settimeout(_SILENCE_S)
    return connection


def _end(connection: Any) -> None:
    """Close a websocket, its socket too: `close` alone leaves it where the peer has closed."""
    connection.close(timeout=1)
    connection.shutdown()


def _receive(connection: Any) -> tuple[int, bytes]:
    """Return channel and content of the next frame. Raises ConnectionError at the end."""
    from websocket import ABNF, WebSocketException

    try:
        while True:
            code, data = connection.recv_data()
            if code == ABNF.OPCODE_CLOSE:
                raise ConnectionError("the cluster has closed the connection")
            if data:
                return data[0], bytes(data[1:])
    except WebSocketException as error:
        raise ConnectionError(str(error)) from error


def _check(status: dict[str, Any], pod: ObjectKey, said: bytes) -> None:
    """Raise ClusterError where a command has not succeeded."""
    if status.get("status") == "Success":
        return
    words = said.decode(errors="replace").strip().rpartition("\n")[2]
    raise ClusterError(f"{pod}: {words or status.get('message') or 'the command failed'}")
