"""What every storage promises: the same tests over the SQLite file and PostgreSQL."""

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from math import isclose
from pathlib import Path

import psycopg
import pytest

from ecc_listener.mqtt.deliveries import packet
from ecc_listener.notifications import outbox, table
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.notice import Notice
from ecc_listener.readings.build import build
from ecc_listener.readings.form import decode
from ecc_listener.readings.reading import Reading
from ecc_listener.storage.connection import StoreError, connect_readonly, utc_us
from ecc_listener.storage.interface import Burst, Storage
from ecc_listener.storage.lock import StoreHeldError
from ecc_listener.storage.postgres.store import PostgresStore
from ecc_listener.storage.quarantine import RETAINED, Arrival, Rejected
from ecc_listener.storage.store import Store
from support.brokers import OFFICE
from support.postgres import Postgres, query

NOON_US = utc_us("2026-03-01 12:00:00")
SECOND_US = 1_000_000
READING = decode(OFFICE)
MAX_REJECTED_BYTES = 1_000_000
TIMES = "SELECT recordWrittenUTC FROM ECCTempHum ORDER BY recordWrittenUTC"


class Database:
    """An empty database: how to open it as a storage, and how others read it."""

    def __init__(
        self, open_it: Callable[[], Storage], rows: Callable[[str], list[tuple[object, ...]]]
    ) -> None:
        self.open, self.rows = open_it, rows

    def count(self, table: str = "ECCTempHum") -> object:
        return self.rows(f"SELECT count(*) FROM {table}")[0][0]


def read_file(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = connect_readonly(path)
    found = connection.execute(statement).fetchall()
    connection.close()
    return found


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    path = tmp_path / "db.sqlite3"
    if request.param == "sqlite":
        return Database(lambda: Store(path, MAX_REJECTED_BYTES), lambda statement: read_file(path, statement))
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create_database()
    return Database(
        lambda: PostgresStore(url, "client", MAX_REJECTED_BYTES), lambda statement: query(url, statement)
    )


@pytest.fixture
def storage(database: Database) -> Iterator[Storage]:
    opened = database.open()
    yield opened
    opened.close()


def reading(name: str = "ECCTH01", **changes: object) -> Reading:
    return READING._replace(sensor_name=name, **changes)  # type: ignore[arg-type]


def burst(number: int, *arrivals: tuple[int, Reading], rejected: tuple[Rejected, ...] = ()) -> Burst:
    packets = [packet(index, "ECCTempHum", b"%d" % index) for index in range(1, len(arrivals) + 1)]
    return Burst(number, [Arrival(*arrival) for arrival in arrivals], list(rejected), packets)


def test_a_reading_becomes_a_row_with_the_original_s_columns(storage: Storage, database: Database) -> None:
    storage.commit(burst(1, (NOON_US + 5, READING)), confirmed=0)
    assert database.rows("SELECT * FROM ECCTempHum") == [
        ("2026-03-01 12:00:00.000005", 47.10, 73.45, 39.17, 3.41, 93.53, -67, "ECCTH01")
    ]
    assert database.rows('SELECT * FROM "ECCTempHum"') == database.rows("SELECT * FROM ECCTempHum")
    assert database.rows("SELECT * FROM ECCTempHumSensor") == [
        ("2026-03-01 12:00:00.000005", "ECCTH01", "Office", "98:F4:AB:DA:6E:E2", "v03.10")
    ]
    assert database.rows('SELECT * FROM "ECCTempHumSensor"') == database.rows(
        "SELECT * FROM ECCTempHumSensor"
    )


@pytest.mark.parametrize(
    "change", [{"location": "Nave"}, {"mac": "00:00:00:00:00:01"}, {"software_version": "v4"}]
)
def test_a_sensor_row_is_written_only_when_something_about_it_changes(
    storage: Storage, database: Database, change: dict[str, str]
) -> None:
    storage.commit(burst(1, (NOON_US, READING), (NOON_US + 1, READING)), confirmed=0)
    storage.commit(burst(2, (NOON_US + 2, READING)), confirmed=0)
    assert database.count("ECCTempHumSensor") == 1
    storage.commit(burst(3, (NOON_US + 3, reading(**change)), (NOON_US + 4, reading(**change))), confirmed=0)
    assert database.count("ECCTempHumSensor") == 2


def test_what_older_firmware_does_not_say_has_not_changed(storage: Storage, database: Database) -> None:
    silent = reading(location=None, mac=None, software_version=None)
    storage.commit(burst(1, (NOON_US, silent)), confirmed=0)
    assert database.count("ECCTempHumSensor") == 0
    storage.commit(burst(2, (NOON_US + 1, READING), (NOON_US + 2, silent)), confirmed=0)
    assert database.count("ECCTempHumSensor") == 1


def test_two_changes_at_one_instant_are_both_kept(storage: Storage, database: Database) -> None:
    storage.commit(burst(1, (NOON_US, READING), (NOON_US, reading(location="Hall"))), confirmed=0)
    assert database.rows("SELECT recordWrittenUTC, location FROM ECCTempHumSensor ORDER BY 1") == [
        ("2026-03-01 12:00:00.000000", "Office"),
        ("2026-03-01 12:00:00.000001", "Hall"),
    ]


def test_what_is_known_about_a_sensor_outlasts_a_restart(database: Database) -> None:
    for number, one in enumerate((READING, reading(location=None), reading(mac="AA"))):
        opened = database.open()
        opened.commit(burst(number + 1, (NOON_US + number, one)), confirmed=0)
        opened.close()
    assert database.rows("SELECT location, MACaddress FROM ECCTempHumSensor ORDER BY recordWrittenUTC") == [
        ("Office", READING.mac),
        ("Office", "AA"),
    ]


def test_readings_at_the_same_instant_get_a_microsecond_each(storage: Storage, database: Database) -> None:
    storage.commit(burst(1, (NOON_US, READING), (NOON_US, READING), (NOON_US, reading("other"))), confirmed=0)
    storage.commit(burst(2, (NOON_US, READING)), confirmed=0)
    assert [str(utc)[20:] for (utc,) in database.rows(TIMES)] == ["000000", "000000", "000001", "000002"]


def test_a_clock_that_steps_back_keeps_its_time_where_it_is_free(
    storage: Storage, database: Database
) -> None:
    times = [NOON_US, NOON_US + 1, NOON_US + 2, NOON_US, NOON_US - 3600 * SECOND_US]
    storage.commit(burst(1, *((at, READING) for at in times)), confirmed=0)
    assert database.rows(TIMES) == [
        ("2026-03-01 11:00:00.000000",),
        ("2026-03-01 12:00:00.000000",),
        ("2026-03-01 12:00:00.000001",),
        ("2026-03-01 12:00:00.000002",),
        ("2026-03-01 12:00:00.000003",),
    ]


def test_the_clock_may_step_back_over_a_restart(database: Database) -> None:
    for number in (1, 2, 3):
        opened = database.open()
        opened.commit(burst(number, (NOON_US, reading(values=(("co2", number),)))), confirmed=0)
        opened.close()
        assert database.count() == number
    found = database.rows(
        "SELECT value FROM ECCTempHum AS one JOIN ECCValue AS more"
        " ON one.recordWrittenUTC = more.recordWrittenUTC ORDER BY one.recordWrittenUTC"
    )
    assert found == [(1,), (2,), (3,)]


def test_any_month_takes_readings(storage: Storage, database: Database) -> None:
    times = ["1999-12-31 23:59:59.999999", "2000-01-01 00:00:00.000000", "2026-11-30 12:00:00.000000"]
    storage.commit(burst(1, *((utc_us(text), READING) for text in times)), confirmed=0)
    assert database.rows(TIMES) == [(text,) for text in times]


def test_packets_are_recorded_with_their_rows_and_leave_when_confirmed(storage: Storage) -> None:
    first, second = burst(1, (NOON_US, READING)), burst(2, (NOON_US + 1, READING))
    storage.commit(first, confirmed=0)
    storage.commit(second, confirmed=0)
    assert storage.recorded() == [(1, first.packets), (2, second.packets)]
    storage.commit(burst(3), confirmed=1)
    assert storage.recorded() == [(2, second.packets), (3, [])]
    storage.forget(3)
    assert storage.recorded() == []


def test_the_record_outlasts_a_restart(storage: Storage, database: Database) -> None:
    only = burst(7, (NOON_US, READING))
    storage.commit(only, confirmed=0)
    storage.close()
    again = database.open()
    assert again.recorded() == [(7, only.packets)]
    again.close()


def test_a_burst_whose_commit_had_arrived_after_all_is_not_stored_twice(
    storage: Storage, database: Database
) -> None:
    for _ in range(2):
        storage.commit(burst(1, (NOON_US, READING)), confirmed=0)
    assert database.count() == 1


def test_a_second_listener_is_refused_until_the_first_one_ends(storage: Storage, database: Database) -> None:
    with pytest.raises(StoreHeldError, match="in use by another listener"):
        database.open()
    storage.close()
    database.open().close()


@pytest.mark.parametrize("name", ["x'); DROP TABLE ECCTempHum; --", "100 % = ?", "Größe", "\\N", "\t"])
def test_a_name_is_only_a_name(storage: Storage, database: Database, name: str) -> None:
    storage.commit(burst(1, (NOON_US, reading(name))), confirmed=0)
    assert database.rows("SELECT sensorName FROM ECCTempHum") == [(name,)]


def test_what_is_no_reading_is_kept_as_it_came(storage: Storage, database: Database) -> None:
    storage.commit(burst(1, rejected=(Rejected(NOON_US, "t", b"\x00\xff", "binary"),)), confirmed=0)
    columns = "receivedUTC, topic, payload, reason, replayedUTC"
    assert database.rows(f"SELECT {columns} FROM ECCRejected") == [
        ("2026-03-01 12:00:00.000000", "t", b"\x00\xff", "binary", None)
    ]


def test_the_rejected_messages_are_bounded_and_what_is_dropped_is_counted(
    storage: Storage, database: Database
) -> None:
    for number in range(1, 41):
        payload = b"%02d" % number + bytes(99_898)
        storage.commit(burst(number, rejected=(Rejected(NOON_US, "t", payload, "no"),)), confirmed=0)
    kept = [bytes(row[0])[:2] for row in database.rows("SELECT payload FROM ECCRejected ORDER BY rowid")]  # type: ignore[call-overload]
    assert kept == [b"%02d" % number for number in range(32, 41)]
    assert database.rows("SELECT * FROM ECCCounter") == [("rejected dropped", 31)]


def test_old_rejected_messages_are_dropped(storage: Storage, database: Database) -> None:
    rejected = tuple(Rejected(NOON_US + day * 86_400 * SECOND_US, "t", b"x", "no") for day in range(3))
    storage.commit(burst(1, rejected=rejected), confirmed=0)
    storage.drop_rejected(NOON_US + 86_400 * SECOND_US)
    assert [row[0] for row in database.rows("SELECT receivedUTC FROM ECCRejected ORDER BY rowid")] == [
        "2026-03-02 12:00:00.000000",
        "2026-03-03 12:00:00.000000",
    ]
    assert database.rows("SELECT value FROM ECCCounter") == [(1,)]


def test_a_retained_message_is_kept_once_however_often_the_broker_sends_it(
    storage: Storage, database: Database
) -> None:
    for number in (1, 2, 3):
        storage.commit(burst(number, rejected=(Rejected(NOON_US, "t", OFFICE, RETAINED),)), confirmed=0)
    assert database.count("ECCRejected") == 1


def test_replay_makes_readings_of_what_is_understood_by_now_exactly_once(
    storage: Storage, database: Database
) -> None:
    odd = OFFICE.replace(b"73.45", b"73,45").replace(b"39.17", b"39,17")
    rejected = [Rejected(NOON_US + index, "t", odd, "no") for index in range(1_200)]
    rejected += [Rejected(NOON_US, "t", b"junk", "no"), Rejected(NOON_US, "t", OFFICE, RETAINED)]
    storage.commit(burst(1, rejected=tuple(rejected)), confirmed=0)
    assert storage.replay(lambda _topic, payload: [decode(payload)], NOON_US) == (0, 1_201)

    def decode_more(_topic: str, payload: bytes) -> list[Reading]:
        return [decode(payload.replace(b",", b"."))]

    assert storage.replay(decode_more, NOON_US) == (1_200, 1)
    assert storage.replay(decode_more, NOON_US) == (0, 1)
    assert database.count() == 1_200


@pytest.mark.parametrize("is_one_burst", [True, False])
def test_parts_within_ten_seconds_are_one_row_with_its_dew_point(
    storage: Storage, database: Database, *, is_one_burst: bool
) -> None:
    numbers = [
        (0, {"temperature_f": 70.0}),
        (SECOND_US, {"humidity_percent": 40.0, "co2": 500.0}),
        (9_900_000, {"battery_percent": 80.0}),
        (10_000_001, {"temperature_f": 71.0}),
        (10_000_002, {"temperature_f": 72.0}),
    ]
    arrivals = [(NOON_US + at, build("attic", one, is_part=True)[0]) for at, one in numbers]
    for number, some in enumerate([arrivals] if is_one_burst else [[one] for one in arrivals], 1):
        storage.commit(burst(number, *some), confirmed=0)
    columns = "temperatureF, relHumidityPercent, battPercent"
    assert database.rows(f"SELECT {columns} FROM ECCTempHum ORDER BY recordWrittenUTC") == [
        (70.0, 40.0, 80.0),
        (71.0, None, None),
        (72.0, None, None),
    ]
    (dew_point_f,) = database.rows("SELECT dewPointF FROM ECCTempHum WHERE relHumidityPercent = 40")[0]
    assert isclose(float(str(dew_point_f)), 44.6, abs_tol=0.1)
    assert database.rows("SELECT field, value FROM ECCValue") == [("co2", 500)]


def test_what_a_device_knows_about_itself_alone_does_not_make_it_a_sensor(
    storage: Storage, database: Database
) -> None:
    (battery,) = build("plug", {"battery_percent": 50.0}, is_part=True)
    (room,) = build("plug", {"temperature_f": 50.0}, is_part=True)
    storage.commit(burst(1, (NOON_US, battery)), confirmed=0)
    assert database.count() == 0
    storage.commit(burst(2, (NOON_US, battery), (NOON_US + 1, room), (NOON_US + 2, battery)), confirmed=0)
    assert database.rows("SELECT temperatureF, battPercent FROM ECCTempHum") == [(50.0, 50.0)]


def test_a_change_of_another_table_is_all_or_nothing(storage: Storage, database: Database) -> None:
    insert = "INSERT INTO ECCCounter VALUES (?, 1)"
    storage.change(lambda connection: connection.execute(insert, ("one",)))
    with pytest.raises(StoreError):
        storage.change(lambda connection: connection.executemany(insert, [("two",), ("one",)]))
    assert database.rows("SELECT name FROM ECCCounter") == [("one",)]


def test_notices_and_what_was_learned_read_back(storage: Storage) -> None:
    one = Notice(1, "cold", "ECCTH01", "Nave", NOON_US, None, None, 0, {"value": 1.5}, NOON_US + 1)
    for notice in (one, one._replace(times_sent=1, sent_us=NOON_US + 2)):
        storage.change(partial(table.write_notices, notices=[(notice, False)]))
        assert storage.look(table.pending) == [notice]
    assert storage.look(table.next_number) == 2
    assert storage.look(table.last_sent) == one._replace(times_sent=1, sent_us=NOON_US + 2)
    (moved,) = storage.change(lambda connection: table.shift(connection, SECOND_US))
    assert moved.since_us == NOON_US + SECOND_US
    for memories in ({"a": "1", "b": "2"}, {"b": "3"}):
        storage.change(partial(table.keep_memories, memories=memories, known=memories))
        assert storage.look(table.memories) == memories


def test_the_outbox_keeps_who_chose_what(storage: Storage) -> None:
    message = Message("subject", "plain", "<p>html</p>")
    names, choices = ["all", "rooms", "system"], {"rooms": "rooms", "system": "system"}
    storage.change(lambda one: outbox.set_channels(one, names, choices))
    written = {"": message, "rooms": message._replace(subject="cold")}
    storage.change(lambda one: outbox.add_by_choice(one, written.get, NOON_US))
    storage.change(lambda one: outbox.add(one, message._replace(subject="for all"), NOON_US))
    sent = []
    while due := storage.look(lambda one: outbox.due(one, NOON_US)):
        for each in due:
            sent.append((each.channel, each.message.subject))
            outcome = outbox.Outcome(each.channel, each.number, None)
            storage.change(partial(outbox.record, outcome=outcome, now_us=NOON_US))
    assert sorted(sent) == [
        ("all", "for all"),
        ("all", "subject"),
        ("rooms", "cold"),
        ("rooms", "for all"),
        ("system", "for all"),
    ]
    storage.change(lambda one: outbox.prune(one, NOON_US + 40 * 86_400 * SECOND_US))
    storage.change(lambda one: outbox.set_channels(one, names))
    assert [one.waiting for one in storage.look(outbox.states)] == [0, 0, 0]


def test_the_outbox_keeps_what_each_channel_has_not_sent(storage: Storage) -> None:
    message = Message("subject", "plain", "<p>html</p>", b"\x00picture")
    storage.change(lambda connection: outbox.set_channels(connection, ["one", "two"]))
    storage.change(lambda connection: outbox.add(connection, message, NOON_US))
    due = storage.look(lambda connection: outbox.due(connection, NOON_US))
    assert [(one.channel, one.message, one.added_us) for one in due] == [
        ("one", message, NOON_US),
        ("two", message, NOON_US),
    ]
    sent = outbox.Outcome("one", due[0].number, None)
    storage.change(lambda connection: outbox.record(connection, sent, NOON_US))
    assert [one.channel for one in storage.look(lambda each: outbox.due(each, NOON_US))] == ["two"]
    assert storage.change(lambda connection: outbox.set_channels(connection, [])) == {"one": 0, "two": 1}
    storage.change(lambda connection: outbox.prune(connection, NOON_US + 40 * 86_400 * SECOND_US))
    storage.change(lambda connection: outbox.set_channels(connection, ["three"]))
    assert storage.look(lambda connection: outbox.due(connection, NOON_US)) == []


def test_after_an_error_the_same_burst_can_come_again(
    storage: Storage, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = (
        sqlite3.OperationalError("I/O") if isinstance(storage, Store) else psycopg.OperationalError("gone")
    )
    rows = storage._rows  # type: ignore[attr-defined]
    insert = rows.insert

    def fail_behind(*given: object, **named: object) -> None:
        insert(*given, **named)
        raise fault

    monkeypatch.setattr(rows, "insert", fail_behind)
    with pytest.raises(StoreError):
        storage.commit(burst(1, (NOON_US, READING)), confirmed=0)
    assert database.count() == 0
    monkeypatch.undo()
    storage.commit(burst(1, (NOON_US, READING)), confirmed=0)
    assert database.count() == 1
