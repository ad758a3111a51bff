"""Muting a sensor or a room for some time, and what everybody sees of it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecc_listener import cli
from ecc_listener.commands import status
from ecc_listener.monitoring.limits import SensorLimits
from ecc_listener.monitoring.limits_file import LimitsFile
from ecc_listener.monitoring.mutes import mutes_path, read_mutes, write_mutes
from ecc_listener.settings import Settings, load
from support.brokers import OFFICE, Mosquitto, until
from support.listeners import SOON_READ, Listener
from support.viewers import MINUTE_US, NOON_US, READING, House, program, text_of

NOW = datetime.now(UTC)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.chdir(tmp_path)
    made = House(tmp_path)
    hall = READING._replace(sensor_name="Hall $(x) 1", location="Hall", temperature_f=20.0)
    made.stored((NOON_US - MINUTE_US, READING), (NOON_US, hall))
    made.well()
    return made


def mute(house: House, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    paths = "--limits_file_path", str(house.folder / "limits.ini"), "-d", str(house.database)
    assert cli.main(["mute", *words, *paths]) == 0
    return capsys.readouterr().out


def refused(house: House, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    paths = "--limits_file_path", str(house.folder / "limits.ini"), "-d", str(house.database)
    assert cli.main(["mute", *words, *paths]) == 2
    return capsys.readouterr().err


def test_a_mute_is_set_listed_and_ended(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert mute(house, capsys) == "Nothing is muted.\n"
    assert mute(house, capsys, "office", "--for", "8h").startswith("Office is muted until ")
    said = mute(house, capsys, "Hall $(x) 1")
    assert [line.partition(" is muted")[0] for line in said.splitlines()] == ["Hall $(x) 1", "Office"]
    mutes = read_mutes(mutes_path(house.folder / "limits.ini"))
    now = datetime.now(UTC)
    assert timedelta(hours=7.9) < mutes["Office"] - now <= timedelta(hours=8)
    assert timedelta(hours=23.9) < mutes["Hall $(x) 1"] - now <= timedelta(hours=24)
    assert mute(house, capsys) == said
    assert "Office" not in mute(house, capsys, "Office", "--off")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Ofice"], "name: 'Ofice' is no sensor or location; did you mean 'Office'?"),
        (["xyz"], "choose from ECCTH01, Hall, Hall $(x) 1, Office"),
        (["Office", "--for", "long"], "for: 'long' must be like 30min, 8h or 2d, at most 365d"),
        (["Office", "--for", "0h"], "for: '0h' must be"),
        (["Office", "--for", "366d"], "at most 365d"),
    ],
)
def test_what_makes_no_sense_is_named(
    house: House, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert said in refused(house, capsys, *words)
    assert not mutes_path(house.folder / "limits.ini").exists()


def test_page_and_status_show_it_and_are_well(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.now_us = int(datetime.now(UTC).timestamp()) * 1_000_000
    house.stored((house.now_us, READING._replace(temperature_f=20.0)))
    house.well()
    viewer = house.viewer()
    assert not program(viewer, "/api/rooms")["is_well"]
    mute(house, capsys, "ECCTH01", "--for", "8h")
    mute(house, capsys, "Hall", "--for", "30min")
    house.now_us += MINUTE_US
    house.well()
    assert program(viewer, "/api/rooms")["is_well"]
    page = text_of(viewer.get("/"))
    assert page.count("Muted until") == 2
    assert "All else is well; 2 sensors are muted" in page
    given: dict[str, object] = {"limits_file_path": house.folder / "limits.ini"}
    settings: Settings = load(
        given | {"database_file_path": house.database, "health_file_path": house.health_path}
    )
    now = datetime.fromtimestamp(house.now_us / 1e6, UTC)
    shown = status.read_status(settings, now)
    assert [line.partition(" until ")[0] for line in sorted(shown.muted)] == [
        "ECCTH01 (Office)",
        "Hall $(x) 1 (Hall)",
    ]
    assert shown.beyond == []
    lines = status.format_lines(shown, now, colour=False)
    assert lines[0] == "All else is well; 2 muted, see below"
    # Half an hour later the Hall is monitored again.
    house.now_us += 30 * MINUTE_US
    house.well()
    assert not program(viewer, "/api/rooms")["is_well"]


def test_a_file_that_makes_no_sense_mutes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for text in ("{", "[]", '{"a": "x"}', "\xff"):
        mutes_path(tmp_path / "limits.ini").write_bytes(text.encode("latin-1"))
        watched = LimitsFile(tmp_path / "limits.ini", is_created=False)
        assert watched.limits.mutes == {}
    assert caplog.text.count("can't be read, so nothing is muted") == 4


def test_a_mute_goes_on_through_an_edit_of_the_limits_and_ends_by_itself() -> None:
    limits = SensorLimits("[Hall]\ntoo cold = 40 F\n")
    limits.mutes = {"hall": NOW + timedelta(hours=1)}
    assert limits.set_time(NOW)
    assert not limits.set_time(NOW + timedelta(minutes=59))
    assert limits.of("x", "Hall") is None
    after = SensorLimits("", limits)
    assert after.of("x", "Hall") is None
    # Others, such as Home Assistant, go on as before.
    assert not after.is_ignored("x", "Hall")
    assert after.of("x", "Office") is not None
    assert after.set_time(NOW + timedelta(hours=1))
    assert after.of("x", "Hall") is not None


def test_a_muted_sensor_falls_silent_without_a_word_and_is_told_of_afterwards(
    tmp_path: Path, broker: Mosquitto
) -> None:
    limits = tmp_path / "limits.ini"
    listener = Listener(tmp_path / "listener", broker.port, timer_check="0.05", limits_file_path=limits)
    hall = OFFICE.replace(b"ECCTH01", b"ECCTH02").replace(b"Office", b"Hall")

    def silent() -> bool:
        broker.publish(hall)
        shown = json.loads(listener.run("status", "--json").stdout)
        return any(one["kind"] == "silent" for one in shown["notices"])

    try:
        write_mutes(mutes_path(limits), {"ECCTH01": NOW + timedelta(days=1)}, NOW)
        listener.program = SOON_READ
        listener.start()
        for _ in range(6):
            broker.publish(OFFICE, hall)
        for _ in range(12):
            assert not silent()
        write_mutes(mutes_path(limits), {}, NOW)
        until(silent, 60)
    finally:
        listener.end()
