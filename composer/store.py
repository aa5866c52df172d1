"""The registry database: components that were onboarded, with their owners and who may see them.

SQLite in the user's data folder unless another database is given; everything that a component is
made of is in its row, so that nothing has to lie in a folder. A version never changes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from pydantic import ValidationError

from composer.component import ONBOARDED, Component, Source, hold_component
from composer.database import (
    SQLITE,
    DatabaseUrlError,
    insert,
    make_tables,
    open_engine,
    reason_of,
)
from composer.database_address import default_database_url, may_have_tables
from composer.errors import StoreError, StoreUnavailableError, UnknownComponentError
from composer.manifest import Manifest
from composer.names import nearest, version_key
from composer.parameters import parse_schema
from composer.system_user import system_user

USER_VARIABLE: Final = "EOLOOM_USER"
MAX_USER: Final = 200

_METADATA: Final = sa.MetaData()
_COMPONENTS: Final = sa.Table(
    "components",
    _METADATA,
    sa.Column("owner", sa.String(MAX_USER), primary_key=True),
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("version", sa.String(64), primary_key=True),
    sa.Column("visibility", sa.String(16), nullable=False, index=True),
    sa.Column("licence", sa.String(200), nullable=False),
    sa.Column("image", sa.String(500), nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
    sa.Column("proto", sa.Text, nullable=False),
    sa.Column("descriptors", sa.LargeBinary, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), nullable=False),
)
_SHARES: Final = sa.Table(
    "component_shares",
    _METADATA,
    sa.Column("owner", sa.String(MAX_USER), primary_key=True),
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("version", sa.String(64), primary_key=True),
    sa.Column("user", sa.String(MAX_USER), primary_key=True),
    sa.ForeignKeyConstraint(
        ["owner", "name", "version"],
        ["components.owner", "components.name", "components.version"],
        ondelete="CASCADE",
    ),
)


class Visibility(StrEnum):
    """Who may see and use a component beside its owner."""

    PRIVATE = "private"  # nobody
    SHARED = "shared"  # the users that it is shared with
    PUBLIC = "public"  # everybody


@dataclass(frozen=True)
class StoredComponent:
    """One version of a component as it lies in the database."""

    owner: str
    name: str
    version: str
    visibility: Visibility
    shared_with: tuple[str, ...]
    licence: str
    image: str
    created: datetime
    _row: Mapping[str, Any] = field(repr=False)

    @property
    def folder(self) -> Path:
        """What messages call its place."""
        return ONBOARDED / self.name / self.version

    def load(self) -> Component:
        """Return the component. Raises StoreError or ContractError if its row is damaged."""
        try:
            manifest = Manifest.model_validate_json(self._row["manifest"])
        except ValidationError as error:
            raise StoreError(f"{self.name}@{self.version} of {self.owner}: {error}") from error
        source = Source(self._row["proto"], self._row["descriptors"])
        return hold_component(manifest, source, parse_schema(self._row["parameters"]))


def own_user(environment: Mapping[str, str] = os.environ) -> str:
    """Return who owns what this process onboards: EOLOOM_USER, or the user of the system."""
    if name := environment.get(USER_VARIABLE):
        return name
    return system_user()


def stored_components(user: str, url: str | None = None) -> list[StoredComponent]:
    """Return what a user may use; where there is no database yet, none is made.

    Raises StoreUnavailableError.
    """
    address = default_database_url() if url is None else url
    if not may_have_tables(address):
        return []
    store = ComponentStore(address)
    try:
        return store.visible_to(user)
    finally:
        store.close()


class ComponentStore:
    """The onboarded components of all users. May be used by several threads and processes."""

    def __init__(self, url: str | None = None) -> None:
        """Open the database, by default the user's own, and make it if there is none.

        Raises StoreUnavailableError, as all methods do.
        """
        address = default_database_url() if url is None else url
        try:
            self._engine = open_engine(address, "foreign_keys = ON")
            path = self._engine.url.database
            if self._engine.dialect.name == SQLITE and path:
                _make_private(Path(path))
            make_tables(self._engine, _METADATA)
        except (sa.exc.SQLAlchemyError, DatabaseUrlError, OSError) as error:
            raise StoreUnavailableError(
                f"cannot use the registry database: {reason_of(error)}"
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def add(
        self,
        component: Component,
        *,
        owner: str,
        visibility: Visibility = Visibility.PRIVATE,
        shared_with: Iterable[str] = (),
    ) -> StoredComponent:
        """Keep an onboarded component.

        To add the same again changes only who may see it. Raises StoreError if that version
        exists with other contents.
        """
        if component.source is None or component.manifest.image is None:
            raise StoreError(f"{component.reference} is not an onboarded image")
        manifest = component.manifest
        values: dict[str, Any] = {
            "manifest": manifest.model_dump_json(exclude_defaults=True),
            "proto": component.source.text,
            "descriptors": component.source.descriptors,
            "parameters": json.dumps(dict(component.schema.schema), sort_keys=True),
        }
        digest = _digest(values)
        key = {"owner": _user(owner), "name": manifest.name, "version": manifest.version}
        values |= {
            "visibility": visibility,
            "licence": manifest.licence,
            "image": manifest.image,
            "digest": digest,
            "created": datetime.now(UTC),
        }
        with self._transaction() as connection:
            # Written first, so that of several processes that add the same the others wait here.
            row = insert(self._engine, _COMPONENTS).values(key | values)
            connection.execute(row.on_conflict_do_nothing())
            query = sa.select(_COMPONENTS.c.digest).where(_is(_COMPONENTS, key)).with_for_update()
            if connection.execute(query).scalar_one() != digest:
                raise StoreError(
                    f"{component.reference} of {owner} exists with other contents; "
                    "onboard it as another version, or remove that one first"
                )
            _set_visibility(connection, key, visibility, shared_with)
        return self.get(owner, manifest.name, manifest.version)

    def get(self, owner: str, name: str, version: str | None = None) -> StoredComponent:
        """Return a component of this owner, by default its newest version.

        Raises UnknownComponentError.
        """
        versions = self._read(sa.and_(_COMPONENTS.c.owner == owner, _COMPONENTS.c.name == name))
        found = [entry for entry in versions if version in {None, entry.version}]
        if not found:
            with self._transaction() as connection:
                query = sa.select(_COMPONENTS.c.name).distinct().where(_COMPONENTS.c.owner == owner)
                names = connection.execute(query).scalars().all()
            wanted = name if version is None else f"{name}@{version}"
            message = f"{owner} has no onboarded component {wanted!r}"
            raise UnknownComponentError(message, None if name in names else nearest(name, names))
        return found[0]

    def versions(self, owner: str, name: str) -> tuple[str, ...]:
        """Return the versions of a component of this owner, newest first."""
        found = self._read(sa.and_(_COMPONENTS.c.owner == owner, _COMPONENTS.c.name == name))
        return tuple(entry.version for entry in found)

    def visible_to(self, user: str) -> list[StoredComponent]:
        """Return what a user may use: their own first, then shared with them, then public."""
        shared = sa.exists().where(
            _SHARES.c.user == user,
            _SHARES.c.owner == _COMPONENTS.c.owner,
            _SHARES.c.name == _COMPONENTS.c.name,
            _SHARES.c.version == _COMPONENTS.c.version,
        )
        may = sa.or_(
            _COMPONENTS.c.owner == user,
            _COMPONENTS.c.visibility == Visibility.PUBLIC,
            sa.and_(_COMPONENTS.c.visibility == Visibility.SHARED, shared),
        )
        nearness = {Visibility.SHARED: 1, Visibility.PUBLIC: 2}
        return sorted(
            self._read(may),
            key=lambda entry: 0 if entry.owner == user else nearness[entry.visibility],
        )

    def set_visibility(
        self,
        owner: str,
        name: str,
        version: str,
        visibility: Visibility,
        shared_with: Iterable[str] = (),
    ) -> StoredComponent:
        """Change who may see one version. Raises UnknownComponentError."""
        self.get(owner, name, version)
        with self._transaction() as connection:
            key = {"owner": owner, "name": name, "version": version}
            connection.execute(
                sa.select(_COMPONENTS.c.name).where(_is(_COMPONENTS, key)).with_for_update()
            )
            _set_visibility(connection, key, visibility, shared_with)
        return self.get(owner, name, version)

    def remove(self, owner: str, name: str, version: str) -> None:
        """Forget one version. Raises UnknownComponentError."""
        self.get(owner, name, version)
        key = {"owner": owner, "name": name, "version": version}
        with self._transaction() as connection:
            connection.execute(sa.delete(_SHARES).where(_is(_SHARES, key)))
            connection.execute(sa.delete(_COMPONENTS).where(_is(_COMPONENTS, key)))

    def _read(self, condition: sa.ColumnElement[bool]) -> list[StoredComponent]:
        """Return what meets a condition, by owner and name, newest version first."""
        with self._transaction() as connection:
            found = connection.execute(sa.select(_COMPONENTS).where(condition))
            rows = [dict(row) for row in found.mappings()]
            shares: dict[tuple[str, str, str], list[str]] = {}
            for owner, name, version, user in connection.execute(sa.select(_SHARES)):
                shares.setdefault((owner, name, version), []).append(user)
        entries = [
            _entry(row, shares.get((row["owner"], row["name"], row["version"]), [])) for row in rows
        ]
        entries.sort(key=lambda entry: version_key(entry.version), reverse=True)
        return sorted(entries, key=lambda entry: (entry.owner, entry.name))

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise StoreUnavailableError(
                f"the registry database cannot be used: {reason_of(error)}"
            ) from error


def _entry(row: Mapping[str, Any], shared_with: list[str]) -> StoredComponent:
    created: datetime = row["created"]
    return StoredComponent(
        owner=row["owner"],
        name=row["name"],
        version=row["version"],
        visibility=Visibility(row["visibility"]),
        shared_with=tuple(sorted(shared_with)),
        licence=row["licence"],
        image=row["image"],
        # SQLite forgets the zone.
        created=created if created.tzinfo else created.replace(tzinfo=UTC),
        _row=row,
    )


def _set_visibility(
    connection: sa.Connection,
    key: Mapping[str, str],
    visibility: Visibility,
    shared_with: Iterable[str],
) -> None:
    users = sorted(set(map(_user, shared_with)))
    if users and visibility is not Visibility.SHARED:
        raise StoreError(f"a {visibility} component is shared with nobody in particular")
    if visibility is Visibility.SHARED and not users:
        raise StoreError("a shared component needs users that it is shared with")
    update = sa.update(_COMPONENTS).where(_is(_COMPONENTS, key)).values(visibility=visibility)
    connection.execute(update)
    connection.execute(sa.delete(_SHARES).where(_is(_SHARES, key)))
    if users:
        rows = [{**key, "user": user} for user in users]
        connection.execute(sa.insert(_SHARES), rows)


def _is(table: sa.Table, key: Mapping[str, str]) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == value for name, value in key.items()))


def _user(name: str) -> str:
    if not name or len(name) > MAX_USER or not name.isprintable():
        raise StoreError(f"{name[:MAX_USER]!r} cannot be the name of a user")
    return name


def _digest(values: Mapping[str, str | bytes]) -> str:
    total = hashlib.sha256()
    for name in sorted(values):
        value = values[name]
        content = value.encode() if isinstance(value, str) else value
        total.update(f"{name} {len(content)} ".encode() + content)
    return total.hexdigest()


def _make_private(path: Path) -> None:
    """Make the folder and the file of a database that only its user can read."""
    if str(path) == ":memory:":
        return
    if not path.exists():  # one that may only be read can be read
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
