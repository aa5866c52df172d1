"""Certificates of a deployment: kept while they fit, and otherwise all made anew."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.backends.kubernetes.certificates import certificates
from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.certificates import KeyPair, RunAuthority, is_fit
from tests.fakes.kubernetes_api import FakeKubernetes
from tests.fakes.kubernetes_store import Key

Contents = dict[str, dict[str, bytes]]
Put = Callable[[Mapping[str, Mapping[str, bytes]]], None]

HOSTS = {"demo--clean--tls": ("demo--clean", "demo--clean.eo.svc"), "demo--tls": ()}


@pytest.fixture
def put(fake: FakeKubernetes) -> Put:
    """Put Secrets into the cluster, as applying them would."""

    def put_all(contents: Mapping[str, Mapping[str, bytes]]) -> None:
        for name, files in contents.items():
            data = {key: base64.b64encode(content).decode() for key, content in files.items()}
            fake.store.create(Key("secrets", "eo", name), {"metadata": {}, "data": data})

    return put_all


def test_those_that_fit_stay_as_they_are(cluster: Cluster, put: Put) -> None:
    made = certificates(cluster, "demo", HOSTS)
    put(made)
    assert certificates(cluster, "demo", HOSTS) == made


@pytest.mark.parametrize("change", ["a node more", "a host more", "one is gone", "one is damaged"])
def test_all_are_made_anew_when_one_does_not_fit(cluster: Cluster, put: Put, change: str) -> None:
    made = certificates(cluster, "demo", HOSTS)
    hosts: dict[str, tuple[str, ...]] = dict(HOSTS)
    there: Contents = {name: dict(files) for name, files in made.items()}
    match change:
        case "a node more":
            hosts["demo--new--tls"] = ("demo--new",)
        case "a host more":
            hosts["demo--clean--tls"] += ("clean.example",)
        case "one is gone":
            del there["demo--tls"]
        case "one is damaged":
            there["demo--tls"]["tls.key"] = b"-----BEGIN"
    put(there)
    anew = certificates(cluster, "demo", hosts)
    assert set(anew) == set(hosts)
    assert not {files["ca.crt"] for files in anew.values()} & {f["ca.crt"] for f in made.values()}
    assert len({files["ca.crt"] for files in anew.values()}) == 1


def test_a_certificate_fits_its_key_its_authority_its_hosts_and_its_time() -> None:
    authority, soon = RunAuthority("demo", timedelta(days=9)), datetime.now(UTC)
    pair = authority.for_component("clean", ["clean", "127.0.0.1"])
    other = RunAuthority("demo").for_component("clean", ["clean", "127.0.0.1"])
    assert is_fit(pair, ["127.0.0.1"], soon)
    assert is_fit(authority.for_caller("orchestrator"), [], soon)
    assert not is_fit(pair, ["clean", "change"], soon)
    assert not is_fit(pair, ["clean"], soon + timedelta(days=10))
    assert not is_fit(KeyPair(pair.certificate, other.key, pair.authority), [], soon)
    assert not is_fit(KeyPair(pair.certificate, pair.key, other.authority), [], soon)
    assert not is_fit(KeyPair(b"", b"", b""), [], soon)
