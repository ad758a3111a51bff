"""A PostgreSQL server of the tests' own: in a temporary folder, on a Unix socket, never run by root."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from ecc_listener.storage.postgres.connection import Connection
from support.brokers import until

_SETTINGS = {
    "listen_addresses": "",
    # A killed server loses nothing by this, only a machine without power does.
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    "deadlock_timeout": "50ms",
}


class Postgres:
    """One server."""

    def __init__(self, parent: Path | None = None, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ecc-postgres-", dir=parent))
        self.user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user)
        self._data = self.folder / "data"
        words = ["initdb", "--pgdata", str(self._data), "--auth", "trust", "--username", self.user]
        subprocess.run(
            [_program("initdb"), *words[1:], "--no-sync", "--encoding", "UTF8", "--locale", "C.UTF-8"],
            check=True,
            capture_output=True,
            **self._as_user(),
        )
        lines = [f"{name} = '{value}'\n" for name, value in (_SETTINGS | settings).items()]
        with (self._data / "postgresql.conf").open("a") as file:
            file.write("".join([*lines, f"unix_socket_directories = '{self.folder}'\n"]))

    def _as_user(self) -> dict[str, Any]:
        is_root = os.geteuid() == 0
        group = pwd.getpwnam(self.user).pw_gid
        return {"user": self.user, "group": group, "extra_groups": [], "cwd": "/"} if is_root else {}

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", self._data],
                stdout=log,
                stderr=log,
                process_group=0,
                **self._as_user(),
            )
        until(self._answers)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """End all of its processes at once, as a crash does."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        """End it, and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        return f"postgresql:///{database}?host={self.folder}&user={self.user}"

    def create_database(self) -> str:
        """Create an empty database; return its URL."""
        name = f"test_{secrets.token_hex(4)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        return self.url(name)


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, read by another connection; times as the tables' text."""
    connection = Connection(url)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def _program(name: str) -> str:
    # Debian keeps each version's programs in a folder of its own.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    program = shutil.which(name) or shutil.which(name, path=":".join(map(str, folders)))
    assert program, f"{name} is not installed; make test as root installs it"
    return program
