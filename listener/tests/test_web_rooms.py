from pathlib import Path

import pytest

from viewers import MINUTE_US, READING, House, program, text_of


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.stored((made.now_us - 70 * MINUTE_US, READING._replace(temperature_f=70.0)), (made.now_us, READING))
    made.well()
    return made


def test_each_room_with_its_newest_reading(house: House) -> None:
    shown = text_of(house.viewer().get("/"))
    assert "Office" in shown
    assert "73.5" in shown or "73.4" in shown


def test_programs_get_the_same_with_units_in_the_names(house: House) -> None:
    viewer = house.viewer()
    told = program(viewer, "/")
    assert told == program(viewer, "/api/rooms")
    (room,) = told["rooms"]
    assert room["sensor"] == "ECCTH01"
    assert room["location"] == "Office"
    assert room["temperature_f"] == 73.45
    assert room["last_utc"] == "2026-01-01 12:00:00.000000"
    assert room["trend_f_per_h"] == pytest.approx(3.45 / (7 / 6), abs=0.01)


def test_units_are_the_viewer_s_choice_and_kept(house: House) -> None:
    viewer = house.viewer()
    assert "°F" in text_of(viewer.get("/"))
    back = viewer.get("/units/c", headers={"Referer": "http://127.0.0.1:8080/"})
    assert back.url.path == "/"
    assert "23.0" in text_of(back)
    assert "23.0" in text_of(viewer.get("/"))
