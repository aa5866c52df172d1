"""Logs, results and forwarded ports of a deployment."""

import http.server
import io
import tarfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from orchestrator.backends.kubernetes import results
from orchestrator.backends.kubernetes.apply import Deployer
from orchestrator.backends.kubernetes.channels import PortForward
from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.deployments import running_pod, undeploy
from orchestrator.backends.kubernetes.errors import ClusterError
from orchestrator.backends.kubernetes.logs import LogLine, follow_logs, read_logs
from orchestrator.backends.kubernetes.readiness import wait_until_ready
from orchestrator.backends.kubernetes.results import fetch_logs, fetch_runs
from tests.fakes.kubernetes_api import FakeKubernetes
from tests.fakes.kubernetes_controllers import ready, succeeded, waiting
from tests.orchestrator.kubernetes.manifests import NAME, deployment_objects

RUN = "fires-run-1"


@pytest.fixture
def running(cluster: Cluster, fake: FakeKubernetes, tmp_path: Path) -> Cluster:
    """A deployment that serves, whose run has ended and left files."""
    fake.volume = tmp_path / "volume"
    (fake.volume / "r1" / "shared").mkdir(parents=True)
    for n in range(5):
        (fake.volume / "r1" / "shared" / f"tile{n}.tif").write_bytes(bytes([n]) * 20_000)
    (fake.volume / "journal.sqlite").write_bytes(b"journal")
    fake.set_outcome("orchestrator", succeeded("ended"))
    fake.set_outcome("clean", ready("one", "two", "three"))
    Deployer(cluster, deployment_objects(run=RUN)).apply()
    assert wait_until_ready(cluster, NAME, timeout_s=10).is_ready
    return cluster


def test_logs_are_read_by_node(running: Cluster) -> None:
    lines = list(read_logs(running, NAME, "clean"))
    assert [(line.node, line.text) for line in lines] == [
        ("clean", "one"),
        ("clean", "two"),
        ("clean", "three"),
    ]
    assert [line.text for line in read_logs(running, NAME, "clean", tail=1)] == ["three"]
    assert [line.text for line in read_logs(running, NAME, "orchestrator")] == ["ended"]


def take(lines: Iterator[LogLine], count: int) -> list[str]:
    return [next(lines).text for _ in range(count)]


def test_logs_are_followed_through_a_broken_connection(
    running: Cluster, fake: FakeKubernetes
) -> None:
    stopped = threading.Event()
    lines = follow_logs(running, NAME, "clean", stopped=stopped)
    assert take(lines, 3) == ["one", "two", "three"]
    fake.fail("GET", "/log$", times=3)
    fake.set_outcome("clean", ready("one", "two", "three", "four"))
    assert take(lines, 1) == ["four"]
    stopped.set()
    assert list(lines) == []


def test_logs_of_pods_that_come_later_are_followed_too(
    running: Cluster, fake: FakeKubernetes
) -> None:
    stopped = threading.Event()
    lines = follow_logs(running, NAME, "late", stopped=stopped)
    fake.set_outcome("late", ready("hello"))
    Deployer(running, deployment_objects(("clean", "late"), run=RUN)).apply()
    assert take(lines, 1) == ["hello"]
    stopped.set()


def test_results_come_whole_and_the_reader_goes(
    running: Cluster, fake: FakeKubernetes, tmp_path: Path
) -> None:
    told: list[str] = []
    fetched = fetch_runs(running, NAME, tmp_path / "here", lambda name, _: told.append(name))
    assert (fetched.files, fetched.bytes) == (6, 100_007)
    assert told[0] == "journal.sqlite"
    assert (tmp_path / "here/r1/shared/tile4.tif").read_bytes() == b"\4" * 20_000
    applied = [path for method, path in fake.requests if method == "PATCH" and "-reader-" in path]
    assert len(applied) == 1
    assert not [name for name in fake.names("pods") if "reader" in name]


def test_a_reader_that_was_left_goes_with_the_deployment(
    running: Cluster, fake: FakeKubernetes, tmp_path: Path
) -> None:
    fake.fail("DELETE", "-reader-", 403, times=9)
    fetch_runs(running, NAME, tmp_path / "here")
    assert [name for name in fake.names("pods") if "reader" in name]
    fake.faults.clear()
    undeploy(running, NAME, timeout_s=10)
    assert fake.names("pods") == []


def test_logs_are_put_beside_the_run(running: Cluster, tmp_path: Path) -> None:
    assert fetch_logs(running, NAME, tmp_path) == ("clean", "orchestrator")
    assert (tmp_path / RUN / "logs" / "clean.log").read_text() == "one\ntwo\nthree\n"


def test_a_reader_is_allowed_where_pods_are_restricted(
    running: Cluster, fake: FakeKubernetes, tmp_path: Path
) -> None:
    fake.add_namespace("eo", restricted=True)
    assert fetch_runs(running, NAME, tmp_path / "here").files == 6


def test_results_go_on_behind_the_last_whole_file(
    running: Cluster, fake: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results.time, "sleep", lambda _: None)
    fake.break_after = [50_000, 30_000]
    told: list[str] = []
    fetched = fetch_runs(running, NAME, tmp_path / "here", lambda name, _: told.append(name))
    assert len(told) == len(set(told)) == fetched.files == 6
    for n in range(5):
        assert (tmp_path / f"here/r1/shared/tile{n}.tif").read_bytes() == bytes([n]) * 20_000


def test_results_that_never_come_are_given_up(
    running: Cluster, fake: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results.time, "sleep", lambda _: None)
    fake.break_after = [1000] * 20
    with pytest.raises(ClusterError, match="broke 5 times behind"):
        fetch_runs(running, NAME, tmp_path / "here")


def test_a_reader_that_cannot_start_says_why_and_goes(
    running: Cluster, fake: FakeKubernetes, tmp_path: Path
) -> None:
    fake.set_outcome("reader", waiting("ErrImageNeverPull", "not present"))
    with pytest.raises(ClusterError, match="does not start: its image is not on the node"):
        fetch_runs(running, NAME, tmp_path / "here")
    assert not [name for name in fake.names("pods") if "reader" in name]


def test_a_command_that_fails_says_its_last_words(
    running: Cluster, fake: FakeKubernetes, tmp_path: Path
) -> None:
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(results, "_SEND", "import sys; sys.exit('the volume is gone')")
        with pytest.raises(ClusterError, match="the volume is gone"):
            fetch_runs(running, NAME, tmp_path / "here")


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside"])  # noqa: S108 - never written
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    chunks = iter([packed.getvalue()])
    folder = tmp_path / "in"
    try:
        found = list(results._unpack(chunks, folder))
    except ClusterError as error:
        assert "cannot be brought" in str(error)  # noqa: PT017 - either is right
    else:
        # The filter takes the slash off an absolute name.
        assert found == [("/tmp/outside", 1)]  # noqa: S108
        assert (folder / "tmp/outside").exists()
    assert not (tmp_path / "outside").exists()


def test_a_deployment_without_a_run_has_no_results(cluster: Cluster, tmp_path: Path) -> None:
    Deployer(cluster, deployment_objects()).apply()
    with pytest.raises(ClusterError, match="has no run whose results could be brought"):
        fetch_runs(cluster, NAME, tmp_path)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[int]:
    """A web page on a port of this machine: what a pod would serve."""
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "index.html").write_bytes(b"<h1>labels</h1>" * 10_000)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_web_page_of_a_pod_is_reached_on_loopback(
    running: Cluster, fake: FakeKubernetes, page: int
) -> None:
    fake.forward_to[8062] = page
    pod = running_pod(running, NAME, "clean")
    with PortForward(running, pod, 8062) as forward:
        for _ in range(2):
            with urllib.request.urlopen(f"http://127.0.0.1:{forward.port}/", timeout=10) as answer:
                assert answer.read() == b"<h1>labels</h1>" * 10_000
        assert forward.failure == ""


def test_a_port_on_which_nobody_listens_says_so(running: Cluster) -> None:
    pod = running_pod(running, NAME, "clean")
    with PortForward(running, pod, 9999) as forward:
        with pytest.raises((urllib.error.URLError, OSError)):
            urllib.request.urlopen(f"http://127.0.0.1:{forward.port}/", timeout=5)
        assert "nobody listens on 9999" in forward.failure


def test_a_local_port_that_is_taken_is_named(running: Cluster, page: int) -> None:
    pod = running_pod(running, NAME, "clean")
    with pytest.raises(ClusterError, match=f"port {page} of this machine"):
        PortForward(running, pod, 8062, page)


def test_a_node_without_pods_names_those_there_are(running: Cluster) -> None:
    with pytest.raises(ClusterError, match="no pods of a node 'nix'; it has: clean, label, orch"):
        running_pod(running, NAME, "nix")
