"""A real registry, with and without a password, and what it must not be believed."""

from __future__ import annotations

import base64
import http.server
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.errors import ImageError
from orchestrator.images.credentials import Credentials, find_credentials
from orchestrator.images.reference import parse_reference
from orchestrator.images.registry import MAX_PAGES, find_image, list_images, resolve
from orchestrator.images.registry_session import MAX_ANSWER_BYTES, Answer, RegistrySession
from orchestrator.images.transfer import pull, push
from tests.docker_engine import PASSWORD, USER, LocalRegistry, StartRegistry

if TYPE_CHECKING:
    from docker import DockerClient


def ignore(progress: object) -> None:
    """Take a report and do nothing."""


@pytest.fixture(scope="session")
def tiny_image(docker_engine: DockerClient) -> str:
    """An image of one small file, so that moving it takes no time."""
    docker_engine.images.build(
        fileobj=io.BytesIO(b"FROM scratch\nLABEL org.eoloom.component=tiny\n"),
        tag="eoloom-tests/tiny:1.0",
        rm=True,
    )
    return "eoloom-tests/tiny:1.0"


@pytest.fixture
def log_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Write what `docker login` would."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))

    def write(host: str, password: str) -> None:
        (tmp_path / "docker").mkdir(exist_ok=True)
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        document = {"auths": {host: {"auth": auth}}}
        (tmp_path / "docker/config.json").write_text(json.dumps(document))

    return write


def test_an_image_is_pushed_listed_resolved_and_pulled(
    docker_engine: DockerClient, image_registry: LocalRegistry, tiny_image: str
) -> None:
    name = f"{image_registry.host}/project/tiny:1.0"
    pinned = push(docker_engine, tiny_image, name, ignore)
    assert pinned.startswith(f"{image_registry.host}/project/tiny@sha256:")
    assert resolve(name) == pinned
    [image] = list_images(f"{image_registry.host}/project", [])
    assert (str(image.reference), f"{image.reference.name}@{image.digest}") == (name, pinned)
    assert image.size_bytes is not None
    assert image.size_bytes > 0
    before = docker_engine.images.get(tiny_image).id
    docker_engine.images.remove(name)
    assert pull(docker_engine, pinned, ignore) == pinned
    assert docker_engine.images.get(pinned).id == before


def test_another_project_is_not_listed(
    docker_engine: DockerClient, image_registry: LocalRegistry, tiny_image: str
) -> None:
    push(docker_engine, tiny_image, f"{image_registry.host}/elsewhere/tiny:1.0", ignore)
    names = [i.reference.repository for i in list_images(f"{image_registry.host}/elsewhere", [])]
    assert names == ["elsewhere/tiny"]


def test_a_long_list_is_read_to_its_end(
    docker_engine: DockerClient, start_registry: StartRegistry, tiny_image: str
) -> None:
    registry = start_registry(page=2)
    names = [f"p/image-{number}" for number in range(5)]
    for name in names:
        push(docker_engine, tiny_image, f"{registry.host}/{name}:1", ignore)
    assert [i.reference.repository for i in list_images(f"{registry.host}/p", [])] == names


def test_the_credentials_of_docker_login_are_used(
    docker_engine: DockerClient,
    start_registry: StartRegistry,
    tiny_image: str,
    log_in: Callable[[str, str], None],
) -> None:
    registry = start_registry(is_guarded=True)
    name = f"{registry.host}/p/tiny:1.0"
    log_in(registry.host, PASSWORD)
    docker_engine.api.reload_config()
    pinned = push(docker_engine, tiny_image, name, ignore)
    assert resolve(name) == pinned
    assert [str(i.reference) for i in list_images(f"{registry.host}/p", [])] == [name]

    log_in(registry.host, "wrong")
    docker_engine.api.reload_config()
    with pytest.raises(
        ImageError, match=rf"cannot push .*refuses .*`docker login {registry.host}`"
    ):
        push(docker_engine, tiny_image, name, ignore)
    with pytest.raises(ImageError, match=rf"cannot pull .*`docker login {registry.host}`"):
        pull(docker_engine, name, ignore)
    with pytest.raises(ImageError, match=rf"the credentials are wrong.*login {registry.host}`"):
        resolve(name)
    with pytest.raises(ImageError, match="the credentials are wrong"):
        list(list_images(f"{registry.host}/p", ["tiny"]))


def test_missing_credentials_are_asked_for(
    start_registry: StartRegistry, log_in: Callable[[str, str], None]
) -> None:
    registry = start_registry(is_guarded=True)
    with pytest.raises(ImageError, match=rf"wants credentials; run `docker login {registry.host}`"):
        resolve(f"{registry.host}/p/tiny:1.0")


def test_what_is_not_there_is_said(
    docker_engine: DockerClient, image_registry: LocalRegistry
) -> None:
    name = f"{image_registry.host}/p/nothing:1"
    with pytest.raises(ImageError, match=r"has no image .*nothing:1: manifest unknown"):
        resolve(name)
    with pytest.raises(ImageError, match="has no such image"):
        pull(docker_engine, name, ignore)
    with pytest.raises(ImageError, match="there is no image eoloom/nothing:1 to push"):
        push(docker_engine, "eoloom/nothing:1", name, ignore)
    with pytest.raises(ImageError, match=r"cannot reach the image registry 127\.0\.0\.1:1"):
        resolve("127.0.0.1:1/p/nothing:1")


def test_a_digest_is_its_own_resolution() -> None:
    name = f"registry.example/p/x@sha256:{'0' * 64}"
    assert resolve(name) == name


def test_a_credential_helper_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"credHelpers": {"registry.example": "absent"}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(ImageError, match=r"credentials of registry\.example.*absent"):
        find_credentials("registry.example")


Reply = Callable[[str, dict[str, str]], tuple[int, dict[str, str], bytes]]


@contextmanager
def scripted_registry(reply: Reply) -> Iterator[str]:
    """A server of this machine that answers what a test wants, for what no real registry does."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, content = reply(self.path, dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_token_is_fetched_with_the_password_and_used() -> None:
    seen: list[tuple[str, str]] = []

    def reply(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        seen.append((path, headers.get("Authorization", "")))
        if path.startswith("/token"):
            return 200, {}, b'{"token": "abc"}'
        if path == "/v2/" or headers.get("Authorization") != "Bearer abc":
            realm = f'Bearer realm="http://{headers["Host"]}/token",service="registry"'
            return 401, {"WWW-Authenticate": realm}, b""
        return 200, {}, b'{"layers": [{"size": 5}], "config": {"size": 2}}'

    with scripted_registry(reply) as host:
        session = RegistrySession(host, lambda _: Credentials("me", "word"))
        with session:
            found = find_image(session, parse_reference(f"{host}/p/x:1"))
    assert found.size_bytes == 7
    asked = [path for path, _ in seen if path.startswith("/token")]
    assert asked == ["/token?service=registry&scope=repository%3Ap%2Fx%3Apull"]
    assert dict(seen)[asked[0]] == f"Basic {base64.b64encode(b'me:word').decode()}"


def test_credentials_are_sent_to_nobody_in_plain_text() -> None:
    def reply(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        return 401, {"WWW-Authenticate": 'Bearer realm="http://elsewhere.example/token"'}, b""

    with (
        scripted_registry(reply) as host,
        pytest.raises(ImageError, match="asks for credentials in a way that is not supported"),
        RegistrySession(host, lambda _: Credentials("me", "word")) as session,
    ):
        find_image(session, parse_reference(f"{host}/p/x:1"))


def refusing_catalog(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """As Harbor answers a user: no list of repositories, but tags of what he may read."""
    if path.startswith("/v2/_catalog"):
        return 403, {}, b'{"errors": [{"code": "FORBIDDEN"}]}'
    if path.startswith("/v2/p/known/tags"):
        return 200, {}, b'{"tags": ["1.0"]}'
    if path.startswith("/v2/p/known/manifests/1.0"):
        return 200, {}, b'{"layers": []}'
    return (200 if path == "/v2/" else 404), {}, b"{}"


def test_without_a_list_of_repositories_known_names_are_tried() -> None:
    with scripted_registry(refusing_catalog) as host:
        found = [str(i.reference) for i in list_images(f"{host}/p", ["absent", "known"])]
    assert found == [f"{host}/p/known:1.0"]


def test_a_list_does_not_lead_elsewhere_and_ends() -> None:
    asked = []

    def reply(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        asked.append(headers["Host"])
        link = '<http://elsewhere.example/v2/_catalog?last=x>; rel="next"'
        return 200, {"Link": link}, b'{"repositories": [], "tags": []}'

    with scripted_registry(reply) as host:
        with pytest.raises(ImageError, match="lists more than"):
            list(list_images(f"{host}/p", ["x"]))
        assert set(asked) == {host}
    assert len(asked) <= 2 * MAX_PAGES + 2


def test_an_answer_without_end_is_not_read_to_it() -> None:
    def reply(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        return 200, {}, b" " * (MAX_ANSWER_BYTES + 1) if "manifests" in path else b"{}"

    with (
        scripted_registry(reply) as host,
        pytest.raises(ImageError, match=f"sends more than {MAX_ANSWER_BYTES} bytes"),
        RegistrySession(host, lambda _: None) as session,
    ):
        find_image(session, parse_reference(f"{host}/p/x:1"))


def test_a_digest_that_is_not_the_contents_is_refused() -> None:
    def reply(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        return 200, {"Docker-Content-Digest": f"sha256:{'0' * 64}"}, b"{}"

    with (
        scripted_registry(reply) as host,
        pytest.raises(ImageError, match="sends other content than its digest says"),
        RegistrySession(host, lambda _: None) as session,
    ):
        find_image(session, parse_reference(f"{host}/p/x:1"))


@pytest.mark.parametrize("content", [b"", b"[]", b"<html>"])
def test_an_answer_that_is_no_document_is_said(content: bytes) -> None:
    with pytest.raises(ImageError, match="the registry's answer is not"):
        Answer(200, {}, content).document()
