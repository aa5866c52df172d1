"""Certificates for the tests of TLS, made by the openssl command."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Authority:
    """An authority, and what it gives certificates for."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def give(self, name: str, subject: str) -> tuple[Path, Path]:
        """Return the files of a certificate and its key, for servers on this machine as well."""
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        names = self.folder / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        _openssl("req", *new, "-subj", subject, "-keyout", key, "-out", request)
        signed = ("-CA", self.certificate, "-CAkey", self.folder / "ca.key", "-CAcreateserial")
        named = ("-days", "2", "-extfile", names)
        _openssl("x509", "-req", "-in", request, *signed, *named, "-out", certificate)
        return certificate, key


def make_authority(folder: Path) -> Authority:
    """Make an authority; skips the test, or fails it where openssl is required, without openssl."""
    if not shutil.which("openssl"):
        reason = "there is no openssl command to make certificates with"
        if "openssl" in os.environ.get("EOLOOM_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    folder.mkdir(parents=True, exist_ok=True)
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    out = ("-keyout", folder / "ca.key", "-out", folder / "ca.pem")
    _openssl("req", "-x509", *new, "-subj", "/CN=test", *out)
    return Authority(folder)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
