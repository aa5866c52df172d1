"""What tests take from outside the repository, and what happens where it is not there.

A test that needs real data, Docker, a browser, PostgreSQL or kubectl is skipped without it, with
the reason. Where the environment's EOLOOM_REQUIRE names the feature ("data,docker"), its absence
is a failure instead.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Literal, get_args

import pytest

from tests import postgresql

Feature = Literal[
    "data",
    "docker",
    "browser",
    "canvas",
    "postgresql",
    "kubectl",
    "control-plane",
    "cluster",
    "rocrate-validator",
]

ROOT = Path(__file__).resolve().parent.parent

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def data_folder() -> Path:
    """The folder of real data: EOLOOM_DATA, or `shared/data` beside the repository."""
    return Path(os.environ.get("EOLOOM_DATA") or ROOT.parent / "shared" / "data").resolve()


def cluster_folder() -> Path:
    """The programs of a Kubernetes cluster: EOLOOM_CLUSTER (scripts/build_cluster.sh)."""
    return Path(os.environ.get("EOLOOM_CLUSTER") or "/nonexistent")


def require(feature: Feature) -> None:
    """Skip the test where the feature is missing, or fail it where it is required."""
    reason = _reason_missing(feature)
    if not reason:
        return
    required = {name.strip() for name in os.environ.get("EOLOOM_REQUIRE", "").split(",")}
    unknown = required - {"", *get_args(Feature)}
    if unknown:
        pytest.fail(f"EOLOOM_REQUIRE names {', '.join(sorted(unknown))}: not a feature")
    if feature in required:
        pytest.fail(f"EOLOOM_REQUIRE asks for {feature}, but {reason}", pytrace=False)
    pytest.skip(reason)


def _reason_missing(feature: Feature) -> str:
    if feature == "data":
        folder = data_folder()
        return "" if folder.is_dir() else f"there is no {folder}; set EOLOOM_DATA to the real data"
    if feature == "browser":
        found = any(shutil.which(name) for name in _BROWSERS)
        return "" if found else f"there is no browser ({', '.join(_BROWSERS)})"
    if feature == "canvas":
        found = (ROOT / "ui" / "canvas" / "node_modules").is_dir()
        return "" if found else "ui/canvas has no node_modules; run `npm ci` there"
    if feature == "postgresql":
        return "" if postgresql.find_programs() else "there is no PostgreSQL (initdb, postgres)"
    reasons = {
        "docker": _reason_without_docker,
        "control-plane": _reason_without_control_plane,
        "cluster": _reason_without_node,
    }
    if feature in reasons:
        return reasons[feature]()
    return "" if shutil.which(feature) else f"there is no {feature}"


def _reason_without_programs(*names: str) -> str:
    found = all((cluster_folder() / name).exists() for name in names)
    return "" if found else "EOLOOM_CLUSTER names no folder with these programs of Kubernetes"


def _reason_without_control_plane() -> str:
    return _reason_without_programs("etcd", "kube-apiserver", "kube-controller-manager")


def _reason_without_node() -> str:
    """What keeps a Kubernetes node from running here."""
    if missing := _reason_without_programs("kubelet", "kube-proxy", "pause"):
        return missing
    if os.geteuid() != 0:
        return "a Kubernetes node needs root"
    absent = [
        name for name in ("containerd", "iptables", "ip", "openssl") if not shutil.which(name)
    ]
    return f"a Kubernetes node needs {absent[0]}" if absent else _reason_without_docker()


def _reason_without_docker() -> str:
    if not shutil.which("docker"):
        return "there is no docker command"
    answer = subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False)
    return "" if answer.returncode == 0 else "the Docker daemon does not answer"
