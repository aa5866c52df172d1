"""A PostgreSQL of the tests' own: files in a temporary folder, reached by a Unix socket only."""

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

_USER = "postgres"


def find_programs() -> Path | None:
    """The folder of initdb and postgres, of the newest version that is installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    # Debian keeps them out of the PATH.
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    return folders[-1] if folders else None


class Server:
    """A running server, in which every test gets a database of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(
            host=str(self._folder), user=_USER, dbname=_USER, autocommit=True
        ) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql://{_USER}@/{name}?host={self._folder}"


@contextlib.contextmanager
def running(programs: Path) -> Iterator[Server]:
    """Make a server, start it, and leave nothing of it.

    It is no child of this process: tests look whether theirs have ended.
    """
    # Not below pytest's folders, which the server's user cannot enter. A socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="eoloom-pg-"))
    data = folder / "data"
    control = ["pg_ctl", "-D", str(data), "-w", "-t", "60"]
    try:
        initdb = ["initdb", "-D", str(data), "-U", _USER, "-A", "trust", "-E", "UTF8", "-N"]
        _call(programs, initdb, folder)
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = ''\nunix_socket_directories = '{folder}'\nfsync = off\n"
            )
        _call(programs, [*control, "-l", str(folder / "log"), "start"], folder)
        try:
            yield Server(folder)
        finally:
            _call(programs, [*control, "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _call(programs: Path, command: list[str], folder: Path) -> None:
    options: dict[str, Any] = {}
    if os.geteuid() == 0:  # as which PostgreSQL refuses to run
        user = pwd.getpwnam(_USER)
        os.chown(folder, user.pw_uid, user.pw_gid)
        options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    # Its output goes to files: a server that has inherited a pipe would keep it open.
    with (folder / "said").open("w+b") as said:
        process = subprocess.run(
            [programs / command[0], *command[1:]],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            check=False,
            **options,
        )
        if process.returncode:
            said.seek(0)
            pytest.fail(f"{' '.join(command)}: {said.read().decode()}", pytrace=False)
