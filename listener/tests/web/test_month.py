from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.viewers import MINUTE_US, READING, House, program, text_of

HOUR_US = 60 * MINUTE_US
HOSTILE = '<script>alert("x")</script>'


def us(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc, arg-type]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Give two rooms in New York in March 2026, when daylight saving time begins; it is April."""
    monkeypatch.setenv("TZ", "America/New_York")
    made = House(tmp_path)
    nave = READING._replace(sensor_name="ECCTH02", location="Nave", temperature_f=50.0, humidity_percent=65.0)
    start_us, end_us = us(2026, 3, 1, 5), us(2026, 4, 1, 4)
    times = [*range(start_us, end_us, 10 * MINUTE_US)]
    gap = us(2026, 3, 10), us(2026, 3, 11)
    made.stored(
        *((at_us, READING) for at_us in times),
        *((at_us + 1, nave) for at_us in times if not gap[0] <= at_us < gap[1]),
    )
    (made.folder / "limits.ini").write_text("[Nave]\ntoo cold = 45 F; 60 F on Sun 08:00-13:00\n")
    made.now_us = us(2026, 4, 20)
    made.well()
    return made


@pytest.fixture
def viewer(house: House) -> TestClient:
    return house.viewer()


def test_programs_get_the_figures_of_each_room(viewer: TestClient) -> None:
    told = program(viewer, "/api/month?month=2026-03")
    assert told == program(viewer, "/month?month=2026-03")
    nave, office = told.pop("rooms")
    assert told == {
        "month": "2026-03",
        "time_zone": "America/New_York",
        "start_utc": "2026-03-01T05:00:00Z",
        "end_utc": "2026-04-01T04:00:00Z",
        "hours": 743,
        "is_complete": True,
        "rooms_left_out": 0,
    }
    # Five hours on each of five Sundays.
    assert nave["temperature_f"] == {"min": 50, "mean": 50, "max": 50, "hours_below": 25, "hours_above": 0}
    assert nave["humidity_percent"] == {
        "min": 65,
        "mean": 65,
        "max": 65,
        "hours_below": 0,
        "hours_above": 719,
    }
    assert (nave["band_temperature_f"], nave["band_humidity_percent"]) == ([45, 82], [40, 60])
    assert (nave["band_changes"], office["band_changes"]) == (True, False)
    assert (nave["readings"], nave["missing"], nave["usual_per_day"]) == (719 * 6, 144, 144)
    assert (office["readings"], office["missing"]) == (743 * 6, 0)
    assert office["humidity_percent"]["hours_below"] == 743


def test_people_get_the_same_in_their_units_with_what_the_figures_mean(viewer: TestClient) -> None:
    shown = text_of(viewer.get("/month?month=2026-03"))
    assert "The month has 743 hours, fewer than usual, because daylight saving time began." in shown
    assert "Temperature in °F Room Lowest Mean Highest Hours too cold Hours too hot" in shown
    assert "Nave ECCTH02 limits 45.0 to 82.0, others at times 50.0 50.0 50.0 25 0" in shown
    assert "Office ECCTH01 73.5 73.5 73.5 0 0" in shown or "Office ECCTH01 73.5 73.4 73.5 0 0" in shown
    assert "Relative humidity in % Room Lowest Mean Highest Hours too dry Hours too damp" in shown
    assert "Nave ECCTH02 65 65 65 0 719" in shown
    assert "Readings Room Received Missing Usual in a day Nave ECCTH02 4,314 144 144" in shown
    assert "usual comfort band: 67.0 to 82.0 °F" in shown
    assert "Days and hours are those of the server's time zone, America/New York." in shown
    viewer.cookies.update({"units": "c", "zone": "Asia/Tokyo"})
    shown = text_of(viewer.get("/month?month=2026-03"))
    assert "limits 7.2 to 27.8, others at times 10.0 10.0 10.0 25 0" in shown


def test_the_tables_have_captions_and_scopes(viewer: TestClient) -> None:
    text = viewer.get("/month?month=2026-03").text
    assert text.count("<caption") == 3
    assert text.count('<th scope="col">') == 6 + 6 + 4
    assert text.count('<th scope="row">') == 3 * 2


def test_without_a_month_it_is_the_last_one_that_is_over(house: House, viewer: TestClient) -> None:
    assert "<h1>March 2026</h1>" in viewer.get("/month").text
    # Where there was no other, it is the first one, as far as it has come.
    house.now_us = us(2026, 3, 2, 5, 30)
    shown = text_of(viewer.get("/month"))
    assert "March 2026" in shown
    assert (
        "The month isn't over: the figures are those of its first 24 hours, up to Mon 2 Mar, 00:00." in shown
    )


def test_other_months_are_one_step_away(viewer: TestClient) -> None:
    text = viewer.get("/month?month=2026-03").text
    assert 'href="/month?month=2026-02"' in text
    assert 'href="/month?month=2026-04"' in text
    assert '<option value="2026-03" selected>March 2026</option>' in text
    assert text.count("<option") == 2
    assert "No readings in this month" in text_of(viewer.get("/month?month=2025-01"))
    for edge in "1971-01", "2199-12":
        assert viewer.get(f"/month?month={edge}").status_code == 200


@pytest.mark.parametrize(
    "month", ["", "2026", "2026-13", "2026-3", "1970-12", "2200-01", "٢٠٢٦-03", "2026-03-01"]
)
def test_what_is_no_month_is_named(viewer: TestClient, month: str) -> None:
    for address in "/month", "/api/month":
        answer = viewer.get(f"{address}?month={month}", headers={"Accept": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["detail"] == "month: must be like 2026-03, from 1971-01 to 2199-12"
    assert viewer.get("/api/month").status_code == 400


def test_a_hostile_name_is_only_text(house: House, viewer: TestClient) -> None:
    house.stored((us(2026, 3, 5), READING._replace(sensor_name=HOSTILE, location=HOSTILE)))
    answer = viewer.get("/month?month=2026-03")
    assert "<script>alert" not in answer.text
    assert HOSTILE in text_of(answer)


def test_without_a_database_the_page_says_what_to_do(tmp_path: Path) -> None:
    viewer = House(tmp_path).viewer()
    assert "run make up to start" in text_of(viewer.get("/month"))
