import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ecc_listener.digest.schedule import DigestSchedule
from ecc_listener.local_time import midnight_us
from ecc_listener.notifications import outbox, table
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.notice import Notice
from ecc_listener.readings.form import decode
from ecc_listener.settings import Settings, load
from ecc_listener.storage.quarantine import Arrival, Rejected
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE, until

ZONE = ZoneInfo("UTC")
MONDAY = date(2026, 11, 16)
MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
START_US = midnight_us(MONDAY, ZONE)
SEVEN_US = START_US + 7 * DAY_US + 7 * HOUR_US
"""Monday after that week, 07:00."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TZ", "UTC")
    return load(
        {
            "database_file_path": tmp_path / "db",
            "backup_folder": tmp_path / "backup",
            "limits_file_path": tmp_path / "limits.ini",
        }
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    made = Store(settings.database_file_path, 1_000_000)
    made.change(partial(outbox.set_channels, channels=["you@example.org"]))
    yield made
    made.close()


def fill(store: Store) -> None:
    """Store two weeks of two rooms; of the second one Tuesday is missing in the week that is told."""
    office = decode(OFFICE)
    nave = office._replace(sensor_name="ECCTH02", location="Nave", temperature_f=50.0, battery_percent=8.0)
    arrivals = []
    for time_us in range(START_US - 7 * DAY_US, SEVEN_US, 10 * MINUTE_US):
        arrivals.append(Arrival(time_us + 1, office))
        if not START_US + DAY_US <= time_us < START_US + 2 * DAY_US:
            arrivals.append(Arrival(time_us + 2, nave))
    store.commit(Burst(1, arrivals, [Rejected(START_US, "t", b"x", "no")], []), 0)


def digests(store: Store) -> list[Message]:
    rows = store.look(lambda db: db.execute("SELECT subject, plain, html, picture FROM ECCMail").fetchall())
    return [Message(*row) for row in rows]


def turn(digest_schedule: DigestSchedule, now_us: int, condition: Callable[[], object]) -> None:
    def holds() -> object:
        digest_schedule.tick(now_us)
        return condition()

    until(holds, 30)


def installed(settings: Settings, store: Store) -> DigestSchedule:
    digest_schedule = DigestSchedule(settings, store, ZONE)
    digest_schedule.tick(SEVEN_US - 7 * DAY_US)
    return digest_schedule


def test_the_week_is_told_on_monday_morning_once_also_across_restarts(
    settings: Settings, store: Store
) -> None:
    fill(store)
    digest_schedule = installed(settings, store)
    digest_schedule.tick(SEVEN_US - MINUTE_US)
    assert digests(store) == []
    turn(digest_schedule, SEVEN_US, lambda: digests(store))
    for hour in range(1, 150, 10):
        digest_schedule.tick(SEVEN_US + hour * HOUR_US)
    again = DigestSchedule(settings, store, ZONE)
    again.tick(SEVEN_US + DAY_US)
    time.sleep(1)
    again.tick(SEVEN_US + DAY_US + HOUR_US)
    (message,) = digests(store)
    assert message.subject == "The week of 16 Nov: 2 rooms, no open notices"
    text = " ".join(message.plain.split())
    assert "2 sensors sent 1,872 readings from Mon 16 Nov to Sun 22 Nov 2026; about 144 are missing." in text
    assert "Nave 50.0 (10.0) 50.0 (10.0) 50.0 (10.0)" in text
    assert "Nave 864 144 8 %, low" in text
    assert "Rejected 1 messages; the page shows them under Events" in text
    assert message.picture
    assert message.picture.startswith(b"\x89PNG")
    turn(again, SEVEN_US + 7 * DAY_US, lambda: len(digests(store)) == 2)


def test_sensors_that_lack_quantities_are_in_it_with_what_they_have(settings: Settings, store: Store) -> None:
    on_mains = decode(OFFICE)._replace(dew_point_f=None, battery_v=None, battery_percent=None)
    damp = on_mains._replace(sensor_name="ECCTH02", location="Nave", temperature_f=None, rssi_dbm=None)
    times = range(START_US, SEVEN_US, 10 * MINUTE_US)
    sent = enumerate((on_mains, damp))
    arrivals = [Arrival(at_us + number, one) for number, one in sent for at_us in times]
    store.commit(Burst(1, arrivals, [], []), 0)
    turn(installed(settings, store), SEVEN_US, lambda: digests(store))
    (message,) = digests(store)
    text = " ".join(message.plain.split())
    assert "2 sensors sent 2,016 readings" in text
    assert "Humidity in % lowest mean highest Nave 39 39 39 Office 39 39 39 Sensors" in text
    assert "Sensors readings missing battery Nave 1,008 Office 1,008 System" in text
    assert message.picture


def test_what_is_open_stands_in_it_the_gravest_first(settings: Settings, store: Store) -> None:
    fill(store)
    details: dict[str, float | str | None] = {"battery_percent": 8.0}
    low = Notice(1, "battery_low", "ECCTH02", "Nave", START_US, None, None, 1, details, START_US)
    silent = Notice(2, "silent", "ECCTH01", "Office", START_US, None, None, 1, {}, START_US)
    new = Notice(3, "new", "ECCTH03", "Crypt", START_US, None, None, 0, {}, START_US)
    store.change(partial(table.write_notices, notices=[(low, False), (silent, False), (new, False)]))
    turn(installed(settings, store), SEVEN_US, lambda: digests(store))
    (message,) = digests(store)
    assert message.subject.endswith("2 open notices")
    assert message.plain.index("Office: no reading") < message.plain.index("Nave: ")


def test_a_first_start_tells_nothing_of_the_time_before(settings: Settings, store: Store) -> None:
    fill(store)
    digest_schedule = DigestSchedule(settings, store, ZONE)
    for hour in range(24):
        digest_schedule.tick(SEVEN_US + hour * HOUR_US)
    assert digests(store) == []


def test_a_week_without_readings_is_told_without_a_picture(settings: Settings, store: Store) -> None:
    turn(installed(settings, store), SEVEN_US, lambda: digests(store))
    assert digests(store)[0].picture is None
    assert "No readings arrived" in digests(store)[0].plain


def test_a_digest_that_fails_is_tried_again_an_hour_later(
    settings: Settings, store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest_schedule = installed(settings, store)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    turn(digest_schedule, SEVEN_US, lambda: "could not be written" in caplog.text)
    monkeypatch.undo()
    monkeypatch.setenv("TZ", "UTC")
    digest_schedule.tick(SEVEN_US + 30 * MINUTE_US)
    turn(digest_schedule, SEVEN_US + HOUR_US, lambda: digests(store))
    assert caplog.text.count("could not be written") == 1


def test_a_renamed_and_calibrated_sensor_is_one_room(settings: Settings, store: Store) -> None:
    fill(store)
    new = decode(OFFICE)._replace(sensor_name="ECCTH09", location="Nave", temperature_f=51.5)
    store.commit(Burst(2, [Arrival(SEVEN_US - 2 * DAY_US, new)], [], []), 0)
    settings.limits_file_path.write_text("[ECCTH09]\nwas = ECCTH02\noffset temperature = -1.5 °F\n")
    digest_schedule = DigestSchedule(settings, store, ZONE)
    digest_schedule.tick(SEVEN_US - 7 * DAY_US)
    turn(digest_schedule, SEVEN_US, lambda: digests(store))
    (message,) = digests(store)
    assert message.subject == "The week of 16 Nov: 2 rooms, no open notices"
    text = " ".join(message.plain.split())
    assert "Nave 48.5 (9.2) 48.5 (9.2) 50.0 (10.0)" in text
    assert "Nave 865 144 8 %, low" in text


def test_the_first_digest_of_a_month_has_the_month(settings: Settings, store: Store) -> None:
    settings.limits_file_path.write_text("[Nave]\ntoo cold = 45 F\n")
    office = decode(OFFICE)
    nave = office._replace(sensor_name="ECCTH02", location="Nave", temperature_f=50.0)
    start_us, end_us = (midnight_us(date(2026, month, 1), ZONE) for month in (11, 12))
    times = range(start_us, end_us, 10 * MINUTE_US)
    sent = enumerate((office, nave))
    arrivals = [Arrival(at_us + number, one) for number, one in sent for at_us in times]
    store.commit(Burst(1, arrivals, [], []), 0)
    digest_schedule = installed(settings, store)
    turn(digest_schedule, SEVEN_US + 7 * DAY_US, lambda: digests(store))
    turn(digest_schedule, SEVEN_US + 14 * DAY_US, lambda: len(digests(store)) == 2)
    without, message = digests(store)
    assert "November" not in without.plain
    text = " ".join(message.plain.split())
    assert "November 2026: temperature in °F (°C)" in text
    # The office is comfortable by the usual band, and the nave by its own limit.
    assert "Nave 50.0 (10.0) 50.0 (10.0) 50.0 (10.0) 0" in text
    assert "November 2026: humidity in % lowest mean highest hours outside Nave 39 39 39 720" in text
    assert "November 2026: readings received missing Nave 4,320 0 Office 4,320 0" in text
    assert "/month?month=2026-11" in text


def test_those_get_the_digest_who_chose_it(settings: Settings, store: Store) -> None:
    names = ["all@x", "rooms@x", "digest@x"]
    choices = {"rooms@x": "rooms", "digest@x": "digest"}
    store.change(partial(outbox.set_channels, channels=names, choices=choices))
    turn(installed(settings, store), SEVEN_US, lambda: digests(store))
    waiting = {state.channel: state.waiting for state in store.look(outbox.states)}
    assert waiting == {"all@x": 1, "rooms@x": 0, "digest@x": 1}
