"""Requests to a cluster's API, with plain dicts in and out.

Throttling (429 with Retry-After), faults of the server and broken connections are waited out by
the client's own retries; what is raised here is final.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import urllib3

from orchestrator.backends.kubernetes.errors import (
    ClusterAccessError,
    ClusterError,
    FieldConflictError,
    WatchExpiredError,
)
from orchestrator.backends.kubernetes.objects import Object, ObjectKey, key_of

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

FIELD_MANAGER: Final = "eoloom"

_TIMEOUT_S: Final = 30.0
_PAGE: Final = 500


class Resource(NamedTuple):
    """How the API addresses a kind."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Return the path of a collection, an object or a subresource."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else "/api/v1"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        parts = [root + scope, self.plural, name, subresource]
        return "/".join(part for part in parts if part)


class Answer(NamedTuple):
    """What the cluster answered. warnings: in its words, such as those of Pod Security."""

    body: dict[str, Any]
    warnings: tuple[str, ...]


class Cluster:
    """One cluster, and the namespace to work in. May be used by several threads."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self._resources: dict[tuple[str, str], Resource] = {}
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        """The URL of the API server."""
        return str(self.client.configuration.host)

    def close(self) -> None:
        """Close all connections."""
        self.client.close()

    def resource(self, api_version: str, kind: str) -> Resource:
        """Return how the cluster addresses a kind. Raises ClusterError where it knows none."""
        with self._lock:
            known = self._resources.get((api_version, kind))
        if known is not None:
            return known
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            listed = self.request("GET", path).body.get("resources", [])
        except ClusterError as error:
            if error.status != 404:
                raise
            listed = []
        with self._lock:
            for each in listed:
                if "/" not in each["name"]:
                    self._resources[api_version, each["kind"]] = Resource(
                        api_version, each["kind"], each["name"], bool(each["namespaced"])
                    )
            known = self._resources.get((api_version, kind))
        if known is None:
            raise ClusterError(f"the cluster knows no {kind} of {api_version}", 404, "NotFound")
        return known

    def resource_of_group_kind(self, group_kind: str) -> Resource:
        """Return how the cluster addresses `Deployment.apps`, in the version that it prefers."""
        kind, _, group = group_kind.partition(".")
        if not group:
            return self.resource("v1", kind)
        preferred = self.request("GET", f"/apis/{group}").body["preferredVersion"]
        return self.resource(str(preferred["groupVersion"]), kind)

    def get(self, key: ObjectKey) -> dict[str, Any] | None:
        """Return an object, or None if there is none."""
        path = self.resource(key.api_version, key.kind).path(key.namespace, key.name)
        try:
            return self.request("GET", path).body
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def list(
        self, resource: Resource, *, labels: str = "", fields: str = ""
    ) -> tuple[list[dict[str, Any]], str]:
        """Return all objects of a kind in the namespace, and the version that a watch goes on from.

        labels, fields: selectors. Long lists are fetched in pages.
        """
        query = {"limit": str(_PAGE)}
        query |= {"labelSelector": labels} if labels else {}
        query |= {"fieldSelector": fields} if fields else {}
        path = resource.path(self.namespace)
        objects: list[dict[str, Any]] = []
        while True:
            try:
                body = self.request("GET", path, query=query).body
            except WatchExpiredError:
                # The pages have grown too old to go on: once more, in one piece.
                query.pop("continue")
                query.pop("limit")
                objects = []
                continue
            for each in body.get("items") or []:
                # Lists leave out what every item shares.
                objects.append({"apiVersion": resource.api_version, "kind": resource.kind, **each})
            metadata = body.get("metadata") or {}
            token = metadata.get("continue")
            if not token:
                return objects, str(metadata.get("resourceVersion", ""))
            query["continue"] = str(token)

    def apply(self, an_object: Object, *, dry_run: bool = False, force: bool = False) -> Answer:
        """Apply an object server-side, as the field manager `eoloom`; return it as it is then.

        dry_run: the cluster says what would be, with all of its checks and defaults. force: take
        over fields that others keep. Raises FieldConflictError, ClusterError.
        """
        key = key_of(an_object)
        query = {"fieldManager": FIELD_MANAGER, "force": str(force).lower()}
        query |= {"dryRun": "All"} if dry_run else {}
        return self.request(
            "PATCH",
            self.resource(key.api_version, key.kind).path(key.namespace, key.name),
            query=query,
            body=an_object,
            content_type="application/apply-patch+yaml",
            subject=str(key),
        )

    def delete(self, key: ObjectKey, *, propagation: str = "Background") -> bool:
        """Ask for an object's deletion; return whether there was one."""
        path = self.resource(key.api_version, key.kind).path(key.namespace, key.name)
        try:
            self.request("DELETE", path, body={"propagationPolicy": propagation}, subject=str(key))
        except ClusterError as error:
            if error.status == 404:
                return False
            raise
        return True

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
        subject: str = "",
    ) -> Answer:
        """Send one request and return its answer.

        subject: what it is about, for the message. Raises ClusterAccessError where the cluster
        does not answer or does not let us in, ClusterError for any other refusal.
        """
        response = self._send(
            method, path, query or {}, body=body, content_type=content_type, silence_s=_TIMEOUT_S
        )
        try:
            text = response.data.decode(errors="replace")
        except urllib3.exceptions.HTTPError as error:
            raise self._unreachable(error) from error
        if response.status >= 400:
            raise _refusal(response.status, text, subject or path)
        found = json.loads(text) if text else {}
        warnings = [_warning(header) for header in response.headers.getlist("Warning")]
        return Answer(found if isinstance(found, dict) else {}, tuple(warnings))

    def lines(
        self, path: str, query: Mapping[str, str], *, silence_s: float | None = None
    ) -> Iterator[str]:
        """Yield the lines of a stream, such as a watch or a log, until the cluster ends it.

        Raises WatchExpiredError for 410, TimeoutError after silence_s without a byte,
        ConnectionError where the stream breaks off.
        """
        response = self._send("GET", path, query, silence_s=silence_s)
        if response.status >= 400:
            raise _refusal(response.status, response.data.decode(errors="replace"), path)
        rest = b""
        try:
            for part in response.stream(64 * 1024):
                *whole, rest = (rest + part).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
            if rest:
                yield rest.decode(errors="replace")
        except urllib3.exceptions.ReadTimeoutError as error:
            raise TimeoutError(str(error)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ConnectionError(str(error)) from error
        finally:
            response.close()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        body: Object | None = None,
        content_type: str = "application/json",
        silence_s: float | None,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        serialised = self.client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self.client.call_api(*serialised, _request_timeout=(_TIMEOUT_S, silence_s))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        response: urllib3.BaseHTTPResponse = answer.response
        return response

    def _unreachable(self, error: Exception) -> ClusterAccessError:
        reason = getattr(error, "reason", None) or error
        return ClusterAccessError(f"the cluster at {self.host} cannot be reached: {reason}")


def _warning(header: str) -> str:
    """Return the text of a Warning header: `299 - "text"`."""
    _, quote, rest = header.partition('"')
    return rest.rpartition('"')[0].replace('\\"', '"') if quote else header


def _refusal(status: int, text: str, subject: str) -> Exception:
    """Return the error that an answer of the API means."""
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {}
    answer = answer if isinstance(answer, dict) else {}
    message = str(answer.get("message") or text[:500] or f"HTTP {status}")
    reason = str(answer.get("reason") or "")
    causes = (answer.get("details") or {}).get("causes") or []
    if status == 401:
        return ClusterAccessError(
            "the cluster does not accept the credentials: they are wrong or have run out"
        )
    if status == 403 and "exceeded quota" not in message:
        return ClusterAccessError(f"not allowed: {message}")
    if status == 410:
        return WatchExpiredError(message)
    conflicts = [cause for cause in causes if cause.get("reason") == "FieldManagerConflict"]
    if conflicts:
        fields = {str(cause.get("field")): _manager(cause) for cause in conflicts}
        kept = ", ".join(f"{field} by {manager}" for field, manager in fields.items())
        return FieldConflictError(f"{subject}: others have set fields of it: {kept}", fields)
    return ClusterError(f"{subject}: {message}", status, reason)


def _manager(cause: Mapping[str, Any]) -> str:
    """Return who keeps a field: `conflict with "kubectl" using apps/v1`."""
    parts = str(cause.get("message", "")).split('"')
    return parts[1] if len(parts) > 1 else str(cause.get("message", ""))
