"""Certificates for one run: an authority in memory, and short-lived certificates of its own.

A backend hands them to the components that it starts, so that engine and components know each other
and nobody else: components show theirs and ask for the engine's. The key of the authority is never
written anywhere and goes with the run. Needs the extra `tls`.

Source of the fields: https://www.rfc-editor.org/rfc/rfc5280.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from composer.extras import install_command
from orchestrator.engine.channels import ChannelSecurity
from orchestrator.errors import SettingsError

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:  # pragma: no cover - the extra is installed where tests run
    raise SettingsError(
        f"certificates of a run need the package cryptography: {install_command('tls')}"
    ) from error

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, CertificateBuilder

# Clocks of machines differ a little.
_BEFORE: Final = timedelta(minutes=5)

# Where a component finds its files, below a folder that only it can read, and the variables of
# `components.kit` that name them.
CERTIFICATE_FILE: Final = "certificate.pem"
KEY_FILE: Final = "key.pem"
CA_FILE: Final = "ca.pem"


@dataclass(frozen=True)
class KeyPair:
    """A certificate with its key, and the authority to believe, as PEM."""

    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes

    def write(self, folder: Path, owner: int | None = None) -> None:
        """Write the three files, readable for their owner only; owner: a numeric user.

        Raises SettingsError where that is not possible.
        """
        files = {CERTIFICATE_FILE: self.certificate, KEY_FILE: self.key, CA_FILE: self.authority}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, content in files.items():
                path = folder / name
                path.unlink(missing_ok=True)
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
            if owner is not None:
                for path in (folder, *(folder / name for name in files)):
                    os.chown(path, owner, -1)
        except OSError as error:
            raise SettingsError(f"cannot write into {folder}: {error.strerror}") from error


class RunAuthority:
    """The authority of one run. Certificates last for `lifetime`; a run that takes longer fails.

    run: its id, for people who look into a certificate.
    """

    def __init__(self, run: str, lifetime: timedelta = timedelta(days=7)) -> None:
        self._run = run
        self._lifetime = lifetime
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "EO Loom"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"authority of {run}"[:64]),
            ]
        )
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        self._certificate = builder.add_extension(usage, True).sign(self._key, hashes.SHA256())

    @property
    def certificate(self) -> bytes:
        """Whom to believe, as PEM."""
        return _pem(self._certificate)

    def for_component(self, node: str, hosts: Iterable[str]) -> KeyPair:
        """Return the certificate of a node; hosts: names and IP addresses at which it is called.

        Raises ValueError where there are none.
        """
        names = [_general_name(host) for host in hosts]
        if not names:
            raise ValueError(f"no host for the certificate of {node}")
        return self._issue(node, names, ExtendedKeyUsageOID.SERVER_AUTH)

    def for_orchestrator(self) -> ChannelSecurity:
        """Return what the engine needs to call components, and to show that it may."""
        pair = self.for_caller("orchestrator")
        return ChannelSecurity(pair.authority, pair.certificate, pair.key)

    def for_caller(self, name: str) -> KeyPair:
        """Return a certificate of one who calls components, and is not called."""
        return self._issue(name, [], ExtendedKeyUsageOID.CLIENT_AUTH)

    def _issue(
        self, name: str, hosts: list[x509.GeneralName], purpose: x509.ObjectIdentifier
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
        builder = self._builder(subject, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(hosts), False)
        return KeyPair(
            _pem(builder.sign(self._key, hashes.SHA256())),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            self.certificate,
        )

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> CertificateBuilder:
        now = datetime.now(UTC)
        authority = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BEFORE)
            .not_valid_after(now + self._lifetime)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), False)
        )


def is_fit(pair: KeyPair, hosts: Iterable[str], until: datetime) -> bool:
    """Say whether a certificate is of its authority, for all hosts, and lasts until a time.

    What is no certificate is not fit. The authority has to last as long; keys are compared.
    """
    try:
        own = x509.load_pem_x509_certificate(pair.certificate)
        authority = x509.load_pem_x509_certificate(pair.authority)
        own.verify_directly_issued_by(authority)
        key = load_pem_private_key(pair.key, None).public_key()
        extension = own.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = set(extension.value)
    except x509.ExtensionNotFound:
        names = set()
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return (
        key == own.public_key()
        and names >= {_general_name(host) for host in hosts}
        and min(own.not_valid_after_utc, authority.not_valid_after_utc) >= until
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
