"""What containers are given, and which paths of this machine they see: without an engine."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from orchestrator.backends.docker.containers import (
    Surroundings,
    container_options,
    make_shared_folder,
)
from orchestrator.backends.docker.engine import connect
from orchestrator.backends.docker.images import Image
from orchestrator.backends.docker.paths import mounts_of
from orchestrator.engine.plan import NodePlan
from orchestrator.errors import NodeError, SettingsError

pytest.importorskip("docker")

AROUND = Surroundings(
    shared="/runs/r/shared",
    network="eoloom-r",
    publish="127.0.0.1",
    cpus=4,
    user=1000,
    group=100,
    is_rootless=False,
    max_message_bytes=7,
    environment={
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_CA_BUNDLE": "/etc/bundle.pem",
        "SECRET": "s",
        "https_proxy": "http://proxy:1",
    },
)
OURS = Image("eoloom/x:1", "sha256:1", "", frozenset({8061}), is_ours=True)
THEIRS = Image("other/x:1", "sha256:2", "", frozenset(), is_ours=False)


def options(image: Image, around: Surroundings = AROUND, **node: Any) -> dict[str, Any]:
    return container_options(NodePlan("n", "x", "1", (), **node), image, (), around)


def test_our_containers_run_as_the_user_and_write_only_where_they_should() -> None:
    made = options(OURS)
    assert made["user"] == "1000:100"
    assert made["read_only"]
    assert list(made["tmpfs"]) == ["/tmp"]  # noqa: S108
    assert "cap_add" not in made
    assert list(made["ports"]) == ["8061/tcp"]
    assert made["environment"]["AWS_ACCESS_KEY_ID"] == "key"
    assert {"SECRET", "AWS_CA_BUNDLE"}.isdisjoint(made["environment"])


def test_containers_of_others_run_as_they_were_made_and_get_no_credentials() -> None:
    made = options(THEIRS)
    assert "user" not in made
    assert "read_only" not in made
    assert made["cap_drop"] == ["ALL"]
    assert {"NET_RAW", "SYS_ADMIN", "MKNOD"}.isdisjoint(made["cap_add"])
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert made["group_add"] == ["100"]
    assert list(made["ports"]) == ["8061/tcp", "8062/tcp"]
    assert made["environment"] == {
        "SHARED_FOLDER_PATH": "/shared",
        "https_proxy": "http://proxy:1",
    }


def test_no_more_cores_than_the_engine_has_are_asked_for() -> None:
    assert options(OURS, cpu=16.0)["nano_cpus"] == 4e9
    assert options(OURS, cpu=0.25)["nano_cpus"] == 25e7


def test_gpus_and_another_shared_folder() -> None:
    made = options(OURS, gpus=2, shared_folder="/data/in")
    assert made["device_requests"][0]["Count"] == 2
    assert made["mounts"][0]["Target"] == "/data/in"
    assert made["environment"]["SHARED_FOLDER_PATH"] == "/data/in"


def test_the_shared_folder_is_open_for_its_group_only(tmp_path: Path) -> None:
    make_shared_folder(tmp_path / "shared")
    mode = (tmp_path / "shared").stat().st_mode
    assert mode & 0o2070 == 0o2070
    assert not mode & 0o002


def mounted(path: Path | str, *, is_local: bool = True) -> list[str]:
    node = NodePlan("scenes", "x", "1", (), local_paths={"catalogue": str(path)})
    return [mount.path for mount in mounts_of(node, "tcp://there:1", is_local=is_local)]


def test_a_folder_is_mounted_and_with_a_file_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "catalog.json").write_text("{}")
    assert mounted(tmp_path) == [str(tmp_path)]
    assert mounted(tmp_path / "catalog.json") == [str(tmp_path)]


def test_a_folder_inside_of_another_is_mounted_once(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    paths = {"a": str(tmp_path / "inner"), "b": str(tmp_path)}
    mounts = mounts_of(NodePlan("n", "x", "1", (), local_paths=paths), "", is_local=True)
    assert [mount.path for mount in mounts] == [str(tmp_path)]


@pytest.mark.parametrize(
    ("path", "is_local", "reason"),
    [
        ("/nowhere/at/all", True, "does not exist"),
        ("/usr", True, "cannot be mounted into a container, which has /usr of its own"),
        ("/proc/self", True, "cannot be mounted"),
        ("/data", False, "the Docker engine at tcp://there:1 does not see; give a URL"),
    ],
)
def test_a_path_that_cannot_be_mounted_is_named(path: str, is_local: bool, reason: str) -> None:
    with pytest.raises(NodeError) as raised:
        mounted(path, is_local=is_local)
    assert f"node scenes: catalogue={path}" in str(raised.value)
    assert reason in str(raised.value)


# docker 7 leaves its socket open where nothing answers.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(SettingsError, match=r"unix:///nowhere/docker\.sock: nothing answers"):
        connect()
    gc.collect()
