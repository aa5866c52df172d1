"""Documents over HTTP and from an object store, from servers on loopback."""

import base64
from pathlib import Path

import fsspec
import pytest

from components.kit.documents import display_url, read_url
from components.kit.errors import InputError, MissingDataError, TemporaryError
from components.kit.storage import Storage
from tests.components.kit.conftest import Site


def test_a_document(site: Site, storage: Storage) -> None:
    site.files["a.json"] = b"{}"
    assert storage.read_bytes(f"{site.url}/a.json?sig=1") == b"{}"


def test_a_document_of_several_chunks_up_to_the_limit(site: Site) -> None:
    content = bytes(range(256)) * 2000
    site.files["a.xml"] = content
    assert read_url(f"{site.url}/a.xml", len(content)) == content
    with pytest.raises(InputError, match=r"a.xml is larger than 511999 bytes"):
        read_url(f"{site.url}/a.xml", len(content) - 1)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, MissingDataError, "does not exist"),
        (410, MissingDataError, "does not exist"),
        (401, MissingDataError, r"refused \(401\)"),
        (403, MissingDataError, r"refused \(403\)"),
        (429, TemporaryError, "429"),
        (500, TemporaryError, "500"),
        (503, TemporaryError, "503"),
    ],
)
def test_whether_it_helps_to_try_again(
    site: Site, status: int, error: type[Exception], words: str
) -> None:
    site.files["a.json"] = status
    with pytest.raises(error, match=words):
        read_url(f"{site.url}/a.json", 100)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(TemporaryError, match="refused"):
        read_url("http://127.0.0.1:1/a.json", 100)


def test_redirections(site: Site, tmp_path: Path) -> None:
    site.files["b.json"] = b"[]"
    site.redirects["a.json"] = "/b.json"
    assert read_url(f"{site.url}/a.json", 100) == b"[]"
    site.redirects["circle"] = "/circle"
    with pytest.raises((MissingDataError, TemporaryError)):
        read_url(f"{site.url}/circle", 100)


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_no_redirection_leads_to_another_scheme(site: Site, target: str) -> None:
    site.redirects["a.json"] = target
    with pytest.raises((MissingDataError, TemporaryError)):
        read_url(f"{site.url}/a.json", 100)


def test_user_and_password_are_sent_and_not_told(site: Site) -> None:
    site.files["a.json"] = b"{}"
    url = site.url.replace("http://", "http://user:p%40ss@")
    assert read_url(f"{url}/a.json", 100) == b"{}"
    expected = base64.b64encode(b"user:p@ss").decode()
    assert site.headers[-1]["Authorization"] == f"Basic {expected}"
    with pytest.raises(MissingDataError) as caught:
        read_url(f"{url}/b.json?X-Amz-Signature=abc", 100)
    assert str(caught.value) == f"{site.url}/b.json does not exist"


def test_what_is_shown_of_a_url() -> None:
    shown = display_url("https://user:pass@host:8443/a/b.tif?sig=abc#c")
    assert shown == "https://host:8443/a/b.tif"


@pytest.mark.parametrize("url", ["http://", "http://host:port/x", "http://a b/x\n"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises((InputError, TemporaryError)):
        read_url(url, 100)


@pytest.fixture
def bucket(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    """The site as an object store, as far as reading needs one."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # of the test before
    monkeypatch.setenv("AWS_ENDPOINT_URL", site.url)
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return site


def test_a_document_from_an_object_store(bucket: Site, storage: Storage) -> None:
    bucket.files["eodata/S2/manifest.xml"] = b"<manifest/>"
    assert storage.read_bytes("s3://eodata/S2/manifest.xml") == b"<manifest/>"
    with pytest.raises(InputError, match="larger than 3 bytes"):
        storage.read_bytes("s3://eodata/S2/manifest.xml", limit=3)
    with pytest.raises(MissingDataError, match=r"S2/other.xml does not exist"):
        storage.read_bytes("s3://eodata/S2/other.xml")


def test_an_object_that_is_refused(bucket: Site, storage: Storage) -> None:
    bucket.files["eodata/secret.xml"] = 403
    with pytest.raises(MissingDataError, match=r"s3://eodata/secret.xml is refused"):
        storage.read_bytes("s3://eodata/secret.xml")
