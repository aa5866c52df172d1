"""Requests to an image registry: its address, its certificates, its tokens, bounded answers.

The protocol: https://github.com/opencontainers/distribution-spec/blob/main/spec.md, and for tokens
https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from composer.extras import install_command
from orchestrator.errors import ImageError, RegistryError
from orchestrator.images.credentials import Credentials, find_credentials
from orchestrator.images.reference import DOCKER_HUB
from orchestrator.loopback import is_loopback

if TYPE_CHECKING:
    from requests import Response, Session

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
_TIMEOUT_S: Final = (10.0, 60.0)
_HUB_HOST: Final = "registry-1.docker.io"
# Where Docker itself looks for the authority of a registry.
_CERTIFICATE_FOLDERS: Final = (Path("/etc/docker/certs.d"),)

_FORBIDDEN: Final = (401, 403)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Answer:
    """status, headers (in lower case) and content of an answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def document(self) -> dict[str, Any]:
        """Return the content as a JSON object. Raises ImageError if it is none."""
        try:
            document = json.loads(self.content)
        except ValueError as error:
            raise ImageError("the registry's answer is not JSON") from error
        if not isinstance(document, dict):
            raise ImageError("the registry's answer is not a JSON object")
        return document


@dataclass
class RegistrySession:
    """A connection to the registry at `host`. To be closed, or used with `with`.

    credentials: looks them up; Docker's configuration by default.
    """

    host: str
    credentials: Callable[[str], Credentials | None] = find_credentials
    _session: Session = field(init=False, repr=False)
    _base: str = field(init=False, default="")
    _authorization: dict[str, str] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        try:
            import requests
        except ImportError as error:
            raise ImageError(
                f"images need the package docker: {install_command('docker')}"
            ) from error
        self._session = requests.Session()
        authority = _authority(self.host)
        if authority is not None:
            self._session.verify = str(authority)

    def __enter__(self) -> RegistrySession:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def connect(self) -> None:
        """Find out how the registry is reached. Raises RegistryError where it is not."""
        self._find_base()

    def ask(self, path: str, scope: str, *, method: str = "GET", accept: str = "*/*") -> Answer:
        """Return the answer to a request for `path`, authorised for `scope` where that is needed.

        Raises RegistryError where the registry is not reached or refuses, and ImageError where it
        sends too much.
        """
        url = f"{self._find_base()}{path}"
        headers = {"Accept": accept}
        known = self._authorization.get(scope)
        answer = self._send(method, url, headers | ({"Authorization": known} if known else {}))
        if answer.status == _FORBIDDEN[0]:
            known = self._authorize(answer.headers.get("www-authenticate", ""), scope)
            self._authorization[scope] = known
            answer = self._send(method, url, headers | {"Authorization": known})
        if answer.status in _FORBIDDEN:
            raise RegistryError(self._refused(scope))
        return answer

    def _refused(self, scope: str) -> str:
        if self.credentials(self.host) is None:
            return f"{self.host} wants credentials; run `docker login {self.host}`"
        return (
            f"{self.host} refuses {scope.replace(':', ' ', 1)}: the credentials are wrong or lack "
            f"the right; run `docker login {self.host}`"
        )

    def _find_base(self) -> str:
        """Return scheme and host: plain HTTP on this machine only, as Docker does it."""
        if self._base:
            return self._base
        host = _HUB_HOST if self.host == DOCKER_HUB else self.host
        schemes = ("https", "http") if _is_local(self.host) else ("https",)
        for scheme in schemes:
            try:
                self._send("GET", f"{scheme}://{host}/v2/", {})
            except RegistryError:
                if scheme == schemes[-1]:
                    raise
                continue
            self._base = f"{scheme}://{host}"
            break
        return self._base

    def _authorize(self, challenge: str, scope: str) -> str:
        """Return the Authorization header that answers a challenge."""
        kind, _, rest = challenge.partition(" ")
        found = self.credentials(self.host)
        if kind.lower() == "basic":
            if found is None:
                raise RegistryError(self._refused(scope))
            return _basic(found)
        values = dict(_CHALLENGE.findall(rest))
        realm = urlsplit(values.get("realm", ""))
        is_safe = realm.scheme == "https" or _is_local(realm.netloc)
        if kind.lower() != "bearer" or realm.scheme not in {"http", "https"} or not is_safe:
            raise ImageError(f"{self.host} asks for credentials in a way that is not supported")
        return f"Bearer {self._token(values, scope, found)}"

    def _token(
        self, challenge: Mapping[str, str], scope: str, credentials: Credentials | None
    ) -> str:
        service = {"service": challenge["service"]} if "service" in challenge else {}
        fields = service | {"scope": challenge.get("scope") or scope}
        if credentials and credentials.identity_token:
            form = {"grant_type": "refresh_token", "client_id": "eoloom", **fields}
            form["refresh_token"] = credentials.identity_token
            answer = self._send("POST", challenge["realm"], {}, data=form)
        else:
            headers = {"Authorization": _basic(credentials)} if credentials else {}
            answer = self._send("GET", challenge["realm"], headers, params=fields)
        if answer.status != 200:
            raise RegistryError(self._refused(scope))
        document = answer.document()
        return str(document.get("token") or document.get("access_token") or "")

    def _send(self, method: str, url: str, headers: Mapping[str, str], **more: Any) -> Answer:
        from requests.exceptions import RequestException

        try:
            with self._session.request(
                method,
                url,
                headers=dict(headers),
                timeout=_TIMEOUT_S,
                stream=True,
                allow_redirects=False,
                # Otherwise credentials from ~/.netrc would take the place of Docker's.
                auth=_no_authentication,
                **more,
            ) as response:
                return Answer(
                    response.status_code,
                    {name.lower(): value for name, value in response.headers.items()},
                    _read(response, self.host),
                )
        except RequestException as error:
            reason = _innermost(error)
            raise RegistryError(f"cannot reach the image registry {self.host}: {reason}") from error


def _innermost(error: BaseException) -> str:
    """Return what the system said, without the wrapping of three libraries."""
    while error.__context__ is not None:
        error = error.__context__
    return str(getattr(error, "strerror", "") or error)


def _is_local(place: str) -> bool:
    """Say whether a host, with or without a port, is this machine."""
    return is_loopback(urlsplit(f"//{place}").hostname or "")


def _no_authentication(request: Any) -> Any:
    return request


def _basic(credentials: Credentials) -> str:
    text = f"{credentials.user}:{credentials.password}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def _authority(host: str) -> Path | None:
    for folder in _CERTIFICATE_FOLDERS:
        path = folder / host / "ca.crt"
        if path.is_file():
            return path
    return None


def _read(response: Response, host: str) -> bytes:
    content = b""
    for part in response.iter_content(64 * 1024):
        content += part
        if len(content) > MAX_ANSWER_BYTES:
            raise ImageError(f"{host} sends more than {MAX_ANSWER_BYTES} bytes; not read further")
    return content
