import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecc_listener.notifications import table
from ecc_listener.notifications.notice import Notice
from ecc_listener.storage.connection import connect
from ecc_listener.storage.migrate import migrate

NOW = 1_795_000_000_000_000
OPEN = Notice(1, "silent", "ECCTH01", "Office", NOW - 9, None, NOW - 5, 1, {"battery_percent": 4.0}, NOW - 6)
OVER = OPEN._replace(number=2, subject="ECCTH02", location=None, resolved_us=NOW - 1)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made = connect(tmp_path / "db")
    migrate(made)
    yield made
    made.close()


def test_a_notice_is_read_as_it_was_written(connection: sqlite3.Connection) -> None:
    table.write_notices(connection, [(OPEN, False), (OVER, False)])
    assert table.pending(connection) == [OPEN, OVER]
    assert table.open_now(connection) == [OPEN]
    table.write_notices(connection, [(OVER, True)])
    assert table.pending(connection) == [OPEN]
    assert table.resolved_since(connection, NOW - 2) == [OVER]
    assert table.resolved_since(connection, NOW) == []
    assert table.newest(connection, 1) == [OVER]
    assert table.next_number(connection) == 3
    assert table.last_sent(connection) == OPEN


def test_the_notices_of_a_time_are_those_that_began_before_its_end_and_ended_after_its_start(
    connection: sqlite3.Connection,
) -> None:
    all_silent = OPEN._replace(number=3, kind="all_silent", subject="", resolved_us=NOW - 1)
    later = OPEN._replace(number=4, since_us=NOW + 5)
    table.write_notices(connection, [(OPEN, False), (OVER, True), (all_silent, True), (later, False)])
    assert table.between(connection, ["ECCTH01"], NOW - 2, NOW, 9) == [all_silent, OPEN]
    assert table.between(connection, ["ECCTH01"], NOW, NOW + 9, 9) == [later, OPEN]
    assert table.between(connection, ["ECCTH01"], NOW, NOW + 9, 1) == [later]
    assert table.between(connection, ["ECCTH02"], NOW - 20, NOW - 9, 9) == []


def test_a_jump_of_the_clock_moves_what_is_pending(connection: sqlite3.Connection) -> None:
    table.write_notices(connection, [(OPEN, False), (OVER, True)])
    moved = table.shift(connection, 1_000)
    assert [one.sent_us for one in moved] == [NOW + 995]
    assert table.pending(connection) == moved
    assert table.resolved_since(connection, 0) == [OVER]


def test_what_was_over_long_ago_is_dropped_and_what_is_open_stays(connection: sqlite3.Connection) -> None:
    table.write_notices(connection, [(OPEN, False), (OVER, True)])
    table.drop_old(connection, NOW + 401 * 86_400_000_000)
    assert table.newest(connection, 9) == [OPEN]


def test_notices_of_invented_sensors_do_not_grow_without_end(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MAX_KEPT", 10)
    table.write_notices(connection, [(OVER._replace(number=number), True) for number in range(100)])
    table.drop_old(connection, NOW)
    assert len(table.newest(connection, 99)) == 10


def test_a_database_of_an_older_version_has_no_notices() -> None:
    assert table.open_now(sqlite3.connect(":memory:")) == []


def test_memories_of_sensors_that_are_no_longer_known_go(connection: sqlite3.Connection) -> None:
    table.keep_memories(connection, {"A": "1", "B": "2"}, ["A", "B"])
    table.keep_memories(connection, {"A": "3"}, ["A"])
    assert table.memories(connection) == {"A": "3"}
