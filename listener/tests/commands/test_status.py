import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from ecc_listener import health
from ecc_listener.commands import status
from ecc_listener.notifications import outbox
from ecc_listener.notifications.errors import SendFault
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.outbox import Outcome
from ecc_listener.readings.form import decode
from ecc_listener.settings import Settings, load
from ecc_listener.storage.quarantine import Arrival, Rejected
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE

NOW = datetime.now(UTC)
NOW_US = int(NOW.timestamp() * 1_000_000)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load({"health_file_path": tmp_path / "health.json", "database_file_path": tmp_path / "db"})


def well(settings: Settings, **changes: object) -> None:
    written = NOW.isoformat(sep=" ", timespec="seconds")
    told = health.Health(written, written, 1200.0, 1, written, "ECCTH01", None)
    for name, value in changes.items():
        setattr(told, name, value)
    health.write(settings.health_file_path, told)


def stored(settings: Settings, *names: str) -> None:
    store = Store(settings.database_file_path, 1_000_000)
    reading = decode(OFFICE)
    arrivals = [
        Arrival(NOW_US - index, reading._replace(sensor_name=name)) for index, name in enumerate(names)
    ]
    store.commit(Burst(1, arrivals, [Rejected(NOW_US, "t", b"x", "no")], []), 0)
    store.close()


def shown(settings: Settings) -> str:
    return "\n".join(status.format_lines(status.read_status(settings, NOW), NOW, colour=False))


def test_all_on_one_screen(settings: Settings) -> None:
    well(settings)
    stored(settings, "ECCTH01", "ECCTH02")
    text = shown(settings)
    assert text.startswith("All is well\n")
    assert "from ECCTH01" in text
    assert "2 readings, 1 rejected" in text
    assert "ECCTH02 (Office)    73.5    23.0    39.2      94   -67" in text
    assert (
        "Mail          off: nobody is notified of problems; secrets/README.md says how to set it up" in text
    )


def test_a_value_beyond_its_limit_is_said_in_place_of_all_is_well(settings: Settings) -> None:
    well(settings)
    store = Store(settings.database_file_path, 1_000_000)
    cold = decode(OFFICE)._replace(temperature_f=33.1, battery_percent=4.0)
    store.commit(Burst(1, [Arrival(NOW_US, cold)], [], []), 0)
    store.close()
    text = shown(settings)
    assert text.startswith("2 values are beyond their limits\n")
    assert "  - ECCTH01 (Office): 33.1 °F, colder than 35.0 °F\n" in text
    assert "  - ECCTH01 (Office): battery at 4 %, below 20 %\n" in text
    settings.limits_file_path.write_text("[Office]\ntoo cold = off\nbattery low = off\n")
    assert shown(settings).startswith("All is well\n")


def test_before_the_first_reading_it_says_what_to_do(settings: Settings) -> None:
    well(settings, last_message_utc=None)
    stored(settings)
    assert "`make up` prints what to enter in the sensors" in shown(settings)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"broker_fault": "broker refuses user 'x'"},
            "Needs attention: not connected: broker refuses user 'x'",
        ),
        ({"store_fault": "the disk is full"}, "readings can't be stored: the disk is full"),
        ({"written_utc": (NOW - timedelta(minutes=5)).isoformat()}, "hangs or has ended"),
        ({"last_message_utc": (NOW - timedelta(minutes=30)).isoformat()}, "no message for 30 min"),
    ],
)
def test_what_is_wrong_stands_first(settings: Settings, changes: dict[str, object], says: str) -> None:
    well(settings, **changes)
    stored(settings, "ECCTH01")
    assert says in shown(settings).splitlines()[0]
    assert status.main(settings, {}) == 1


def test_mail_that_fails_needs_somebody(settings: Settings) -> None:
    well(settings)
    stored(settings, "ECCTH01")
    store = Store(settings.database_file_path, 1_000_000)
    store.change(partial(outbox.set_channels, channels=["you@example.org"]))
    assert "Mail          to you@example.org; nothing sent yet" in shown(settings)
    message = Message("subject", "plain", "html")
    store.change(partial(outbox.add, message=message, now_us=NOW_US))
    fault = SendFault("the server is down", "wait")
    store.change(partial(outbox.record, outcome=Outcome("you@example.org", 1, fault), now_us=NOW_US))
    store.close()
    first = shown(settings).splitlines()[0]
    assert "Needs attention: mail fails to you@example.org since" in first
    assert first.endswith("1 message is waiting: the server is down. Next step: wait")


def test_a_damaged_database_lies_aside_until_somebody_has_it_read(settings: Settings) -> None:
    well(settings)
    settings.database_file_path.write_bytes(b"no database at all" * 1_000)
    stored(settings, "ECCTH01")
    first = shown(settings).splitlines()[0]
    assert "db-damaged-2" in first
    assert "`make recover`" in first


def test_archives_are_counted_and_their_readings_of_today_too(settings: Settings) -> None:
    well(settings)
    stored(settings, "ECCTH01", "ECCTH02")
    with closing(Store(settings.database_file_path, 1_000_000)) as store:
        store.archive()
    text = shown(settings)
    assert "and 1 archive of 0." in text
    assert "Today         2 readings" in text
    assert "ECCTH02" in text


def test_without_listener_and_database_it_says_both(settings: Settings) -> None:
    first = shown(settings).splitlines()[0]
    assert "the listener isn't running" in first
    assert "db isn't there" in first


def test_programs_get_json(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    # `main` asks for the time itself, which may be minutes after this module was read.
    just_now = datetime.now(UTC).isoformat()
    well(settings, written_utc=just_now, last_message_utc=just_now)
    stored(settings, "ECCTH01")
    assert status.main(settings, {"json": True}) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fault"] is None
    assert told["sensors"][0]["temperature_f"] == 73.45


def test_a_hostile_name_neither_steers_the_terminal_nor_spoils_the_table(settings: Settings) -> None:
    well(settings)
    stored(settings, "\x1b[2J" + "x" * 200, "<script>")
    text = shown(settings)
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) < 120


def test_many_sensors_still_fit_on_a_screen(settings: Settings) -> None:
    well(settings)
    stored(settings, *(f"ECCTH{number:03d}" for number in range(100)))
    assert len(shown(settings).splitlines()) <= 42
    assert "and 70 more" in shown(settings)


def test_a_renamed_and_calibrated_sensor_is_shown_once_and_corrected(settings: Settings) -> None:
    well(settings)
    stored(settings, "Kitchen", "ECCTH02")
    settings.limits_file_path.write_text("[Kitchen]\nwas = ECCTH02\noffset temperature = -1.5 °F\n")
    assert [(one.name, one.temperature_f) for one in status.read_status(settings, NOW).sensors] == [
        ("Kitchen", 71.95)
    ]
