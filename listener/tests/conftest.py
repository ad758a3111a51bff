"""What several test modules share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers import Mosquitto


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """Give a running Mosquitto."""
    mosquitto = Mosquitto(tmp_path / "broker")
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture(scope="session", autouse=True)
def _no_test_uses_the_default_paths() -> Iterator[None]:
    """Fail when a listener has written into the working directory: its settings lacked a path in tmp_path."""
    yield
    assert list(Path.cwd().glob("ECC*")) == []
