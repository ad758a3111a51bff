"""The listener over PostgreSQL: each message becomes exactly one row, whatever is killed in between."""

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.brokers import OFFICE, Mosquitto, Publisher, until
from support.listeners import Listener
from support.postgres import Postgres, query

COUNT = "SELECT count(*) FROM reading"
MESSAGES = 3_000


def numbered(number: int) -> bytes:
    """Make a reading that no other is equal to."""
    return OFFICE.replace(b"field4=3.41", b"field4=%.4f" % (number / 1_000))


@pytest.fixture
def server() -> Iterator[Postgres]:
    """Give a server that a test may kill."""
    made = Postgres()
    made.start()
    yield made
    made.stop()


def make_listener(tmp_path: Path, broker: Mosquitto, url: str) -> Listener:
    made = Listener(
        tmp_path / "listener", broker.port, database_url=url, limits_file_path=tmp_path / "limits"
    )
    made.environment.pop("ECC_DATABASE_FILE_PATH")
    return made


def publish_slowly(broker: Mosquitto) -> threading.Thread:
    def publish() -> None:
        with Publisher(broker.port) as publisher:
            for number in range(MESSAGES):
                publisher.publish(numbered(number))
                publisher.limit(200)

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    return thread


def wait_for_more(url: str, publishing: threading.Thread) -> None:
    before = query(url, COUNT)[0][0]
    until(lambda: query(url, COUNT)[0][0] > before or not publishing.is_alive())


def assert_each_is_stored_once(url: str) -> None:
    until(lambda: query(url, COUNT)[0][0] >= MESSAGES, 60)
    stored = Counter(round(volts * 1_000) for (volts,) in query(url, "SELECT battery_v FROM reading"))
    assert stored == Counter(range(MESSAGES))


def test_a_listener_that_is_killed_under_load_neither_loses_nor_doubles(
    tmp_path: Path, broker: Mosquitto, postgres: Postgres
) -> None:
    url = postgres.create_database()
    listener = make_listener(tmp_path, broker, url)
    listener.start()
    publishing = publish_slowly(broker)
    for _ in range(3):
        wait_for_more(url, publishing)
        listener.stop(signal.SIGKILL)
        listener.start()
    publishing.join(60)
    assert_each_is_stored_once(url)
    assert listener.stop() == 0
    assert not listener.database.exists()


def test_a_server_that_is_killed_under_load_costs_nothing_and_is_reported(
    tmp_path: Path, broker: Mosquitto, server: Postgres
) -> None:
    url = server.create_database()
    listener = make_listener(tmp_path, broker, url)
    listener.start()
    publishing = publish_slowly(broker)
    for _ in range(3):
        wait_for_more(url, publishing)
        server.kill()
        broker.publish(b"no reading")
        until(listener.store_fails)
        server.start()
        until(lambda: not listener.store_fails(), 30)
    publishing.join(60)
    assert_each_is_stored_once(url)
    assert query(url, "SELECT count(*) FROM rejected") == [(3,)]
    assert listener.stop() == 0
    assert "PostgreSQL can't be used" in listener.log()
    assert "Readings are stored again" in listener.log()


def test_what_the_monitor_knows_outlasts_a_restart(
    tmp_path: Path, broker: Mosquitto, postgres: Postgres
) -> None:
    url = postgres.create_database()
    listener = make_listener(tmp_path, broker, url)
    listener.start()
    broker.publish(OFFICE)
    until(lambda: query(url, COUNT) == [(1,)])
    assert listener.stop() == 0
    listener.start()
    broker.publish(OFFICE.replace(b"ECCTH01", b"ECCTH02"))
    until(lambda: query(url, COUNT) == [(2,)])
    assert listener.stop() == 0
    assert "error in this program" not in listener.log()


def test_replay_works_while_a_listener_runs(tmp_path: Path, broker: Mosquitto, postgres: Postgres) -> None:
    url = postgres.create_database()
    listener = make_listener(tmp_path, broker, url)
    listener.start()
    broker.publish(b"no reading")
    until(lambda: query(url, "SELECT count(*) FROM rejected") == [(1,)])
    query(url, "UPDATE rejected SET payload = 'field1=1&field2=70&field3=40&field7=A' RETURNING 1")
    expected = "Rejected messages that are readings now: 1; still rejected: 0.\n"
    assert listener.run("replay").stdout == expected
    assert query(url, COUNT) == [(1,)]
    assert listener.stop() == 0


@pytest.mark.parametrize("verb", ["status", "backup", "web", "demo"])
def test_a_verb_that_needs_the_file_says_so(tmp_path: Path, broker: Mosquitto, verb: str) -> None:
    done = make_listener(tmp_path, broker, "postgresql://nowhere/db").run(verb)
    assert done.returncode == 2
    assert done.stderr.startswith(f"database_url: {verb} can't use PostgreSQL; ")


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/none?user=hunter2", "mysql://hunter2@host/db"])
def test_a_server_that_does_not_answer_ends_the_start_with_one_line(
    tmp_path: Path, broker: Mosquitto, url: str
) -> None:
    done = make_listener(tmp_path, broker, url).run()
    assert done.returncode == (1 if url.startswith("postgresql") else 2)
    assert len(done.stderr.splitlines()) == 1
    assert "database_url" in done.stderr
    assert "hunter2" not in done.stderr
