"""What only PostgreSQL can meet: other listeners, a server that dies, an answer that gets lost."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.lock import StoreHeldError, StoreTakenError
from ecc_listener.storage.postgres.connection import connect
from ecc_listener.storage.postgres.schema import MIGRATIONS, create_partitions
from ecc_listener.storage.postgres.store import PostgresStore
from storage.test_both import NOON_US, READING, burst, reading
from support.brokers import until
from support.postgres import Postgres, query

COUNT = "SELECT count(*) FROM reading"


def opened(url: str, client_id: str = "one") -> PostgresStore:
    return PostgresStore(url, client_id, 1_000_000)


def started(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.create_database()


@pytest.fixture
def stores(url: str) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    made = opened(url, "one"), opened(url, "two")
    yield made
    for store in made:
        store.close()


def cut(url: str) -> None:
    """End all connections to a database, as the server's restart does, and wait until they are gone."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    query(url, f"SELECT pg_terminate_backend(pid) {others}")
    until(lambda: query(url, f"SELECT count(*) {others}") == [(0,)])


def test_listeners_that_meet_on_one_key_keep_both_readings(
    url: str, stores: tuple[PostgresStore, PostgresStore]
) -> None:
    one, two = stores
    with_values = reading(values=(("co2", 500.0),))
    one.commit(burst(1, (NOON_US, READING), (NOON_US + 1, READING)), confirmed=0)
    two.commit(burst(1, (NOON_US, with_values), (NOON_US + 9, READING)), confirmed=0)
    one.commit(burst(2, (NOON_US, READING), (NOON_US + 9, READING)), confirmed=0)
    times = [str(utc)[23:] for (utc,) in query(url, "SELECT time FROM reading ORDER BY time")]
    assert times == ["000", "001", "002", "003", "009", "010"]
    assert query(url, "SELECT time, value FROM reading_value") == [("2026-03-01 12:00:00.000002", 500.0)]
    assert query(url, "SELECT count(*) FROM sensor_report") == [(1,)]


def test_listeners_that_write_the_same_keys_at_once_lose_and_double_nothing(
    url: str, stores: tuple[PostgresStore, PostgresStore]
) -> None:
    names = [f"ECCTH{number:02}" for number in range(20)]

    def write(store: PostgresStore, in_order: list[str]) -> None:
        for number in range(1, 6):
            some = burst(number, *((NOON_US + number, reading(name)) for name in in_order))
            for _ in range(50):
                try:
                    store.commit(some, confirmed=number - 1)
                    break
                except StoreError:  # Two that wait for each other: one of them is told to try again.
                    continue

    threads = [
        started(lambda store=store, order=order: write(store, order))  # type: ignore[misc]
        for store, order in zip(stores, (names, names[::-1]), strict=True)
    ]
    for thread in threads:
        thread.join(60)
    assert query(url, COUNT) == [(200,)]
    assert query(url, "SELECT count(*), count(DISTINCT name) FROM sensor") == [(20, 20)]


def test_a_commit_whose_answer_got_lost_is_recognised(url: str) -> None:
    store = opened(url)
    once = burst(1, (NOON_US, READING))
    store.commit(once, confirmed=0)
    cut(url)
    with pytest.raises(StoreError, match="can't be used"):
        store.commit(once, confirmed=0)
    store.commit(once, confirmed=0)
    assert query(url, COUNT) == [(1,)]
    store.close()


def test_a_commit_that_is_still_under_way_is_waited_for(url: str) -> None:
    """A new connection must not take a burst for lost while the old one's transaction may still succeed."""
    store = opened(url)
    connection = connect(url)
    create_partitions(connection, (2026, 3))
    connection.close()
    old = psycopg.connect(url)
    old.execute("INSERT INTO delivery VALUES ('one', 1, '')")
    thread = started(lambda: store.commit(burst(1, (NOON_US, READING)), 0))
    until(lambda: query(url, "SELECT 1 FROM pg_locks WHERE NOT granted"))
    assert thread.is_alive()
    old.commit()
    thread.join(10)
    assert not thread.is_alive()
    assert query(url, COUNT) == [(0,)]
    old.close()
    store.close()


def test_a_burst_is_not_committed_after_another_listener_had_the_session(url: str) -> None:
    slow = opened(url)
    slow.commit(burst(1, (NOON_US, READING)), confirmed=0)
    cut(url)
    follower = opened(url)
    late = burst(2, (NOON_US + 1, READING))
    with pytest.raises(StoreError, match="can't be used"):
        slow.commit(late, confirmed=0)
    with pytest.raises(StoreHeldError):
        slow.commit(late, confirmed=0)
    follower.close()
    until(lambda: query(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)])
    for _ in range(2):
        with pytest.raises(StoreTakenError):
            slow.commit(late, confirmed=0)
    assert query(url, COUNT) == [(1,)]


def test_a_commit_waits_for_the_disk_whatever_the_server_s_default_is(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())
    store = opened(url)
    assert store.look(lambda one: one.execute("SHOW synchronous_commit").fetchone()) == ("on",)
    store.close()


def test_a_newer_database_is_refused_in_words(url: str) -> None:
    opened(url).close()
    query(url, f"INSERT INTO schema_version VALUES ({len(MIGRATIONS) + 1}) RETURNING 1")
    with pytest.raises(StoreError, match="written by a newer version"):
        opened(url)


def test_listeners_that_start_at_once_create_the_tables_once(url: str) -> None:
    made: list[PostgresStore] = []
    threads = [started(lambda name=name: made.append(opened(url, name))) for name in "abcd"]  # type: ignore[misc]
    for thread in threads:
        thread.join(30)
    assert len(made) == 4
    for store in made:
        store.close()


def test_what_is_wrong_with_the_server_is_said_without_the_password() -> None:
    with pytest.raises(StoreError, match="can't be used") as raised:
        connect("postgresql://user:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in str(raised.value)


def test_a_reader_is_not_in_the_way_of_a_new_month(url: str) -> None:
    store = opened(url)
    store.commit(burst(1, (NOON_US, READING)), confirmed=0)
    with psycopg.connect(url) as reader:
        reader.execute("SELECT * FROM reading").fetchall()
        store.commit(burst(2, (NOON_US + 40 * 86_400_000_000, READING)), confirmed=0)
    assert query(url, COUNT) == [(2,)]
    store.close()


def test_without_a_database_url_nothing_of_psycopg_is_imported(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom ecc_listener import service, cli\n"
        "[__import__(f'ecc_listener.{one.module}') for verb, one in cli.VERBS.items() if verb != 'import']\n"
        "from ecc_listener.settings import Settings\n"
        "from ecc_listener.storage.interface import open_storage\n"
        "open_storage(Settings(database_file_path='db')).close()\n"
        "print([name for name in sys.modules if 'psycopg' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == "[]\n"
