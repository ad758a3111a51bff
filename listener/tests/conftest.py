"""What several test modules share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecc_listener.storage.store import Store
from support.brokers import Mosquitto
from support.mail_servers import MailServer
from support.postgres import Postgres


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Give a running Mosquitto."""
    mosquitto = Mosquitto(tmp_path / "broker")
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailServer]:
    """Give a running mail server with TLS."""
    made = MailServer(tmp_path / "mail")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give the store of an empty database."""
    made = Store(tmp_path / "db", 1_000_000)
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give a running PostgreSQL server; it is shared, so that a test must not stop it."""
    server = Postgres()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def _no_test_uses_the_default_paths() -> Iterator[None]:
    """Fail when a listener has written into the working directory: its settings lacked a path in tmp_path."""
    yield
    assert list(Path.cwd().glob("ECC*")) == []
