import csv
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ecc_listener.notifications import table
from ecc_listener.notifications.notice import Notice
from ecc_listener.storage.connection import connect, utc_us
from support.viewers import MINUTE_US, NOON_US, READING, House, program, text_of

DAY = "start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z"
HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    hall = READING._replace(sensor_name="ECCTH02", location="Hall", temperature_f=50.0)
    made.stored(
        *((NOON_US - (100 - 10 * number) * MINUTE_US, READING) for number in range(10)), (NOON_US, hall)
    )
    return made


@pytest.fixture
def viewer(house: House) -> TestClient:
    return house.viewer()


def lines(viewer: TestClient, query: str) -> list[list[str]]:
    answer = viewer.get(f"/history.csv?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="history.csv"'
    return list(csv.reader(answer.content.decode("utf-8-sig").splitlines()))


def test_programs_get_the_points_of_each_sensor_they_name(viewer: TestClient) -> None:
    told = program(viewer, f"/api/history?sensor=ECCTH01&sensor=ECCTH02&{DAY}")
    assert (told["start_utc"], told["end_utc"]) == ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    office, hall = told["sensors"]
    assert (office["sensor"], office["step_s"], office["interval_s"]) == ("ECCTH01", 0, 600)
    assert office["time_s"][-1] == NOON_US / 1e6 - 600
    assert office["temperature_f"] == {"mean": [73.45] * 10}
    assert hall["temperature_f"]["mean"] == [50.0]
    assert told == program(viewer, f"/history?sensor=ECCTH01&sensor=ECCTH02&{DAY}")


def test_a_long_range_comes_with_lowest_and_highest(viewer: TestClient) -> None:
    told = program(viewer, "/api/history?sensor=ECCTH01&start=2025-01-01T00:00:00Z&end=2026-02-01T00:00:00Z")
    (office,) = told["sensors"]
    assert office["step_s"] == 86_400
    assert office["readings"] == [10]
    assert office["humidity_percent"] == {"min": [39.17], "mean": [39.17], "max": [39.17]}


def test_limits_and_notices_come_with_the_points(house: House, viewer: TestClient) -> None:
    (house.folder / "limits.ini").write_text(
        "[everywhere]\ntoo damp = 70 %\n[Office]\ntoo cold = 10 C for 2 h\n"
    )
    cold = Notice(
        1, "too_cold", "ECCTH01", "Office", NOON_US - 5, NOON_US, NOON_US, 1,
        {"temperature_f": 45.0, "limit": 50.0, "limit_of": "temperature_f"},
    )  # fmt: skip
    moved = cold._replace(
        number=2, kind="moved", resolved_us=None, details={"old_place": "Hall", "new_place": "Office"}
    )
    with closing(connect(house.database)) as connection:
        told = cold, moved, moved._replace(number=3, since_us=0)
        table.write_notices(connection, [(notice, True) for notice in told])
    office, hall = program(viewer, f"/api/history?sensor=ECCTH01&sensor=ECCTH02&{DAY}")["sensors"]
    assert office["limits"] == [
        {"kind": "too_cold", "measure": "temperature_f", "value": 50.0},
        {"kind": "too_damp", "measure": "humidity_percent", "value": 70.0},
    ]
    assert [one["kind"] for one in hall["limits"]] == ["too_damp"]
    at_s = (NOON_US - 5) // 1_000_000
    assert [(one["kind"], one["since_s"], one["over_s"]) for one in office["notices"]] == [
        ("moved", at_s, at_s),
        ("too_cold", at_s, NOON_US // 1_000_000),
    ]
    assert "Office" in office["notices"][1]["headline"]
    assert hall["notices"] == []


def test_a_sensor_that_nobody_knows_has_no_points(viewer: TestClient) -> None:
    (nobody,) = program(viewer, f"/api/history?sensor=nobody&{DAY}")["sensors"]
    assert nobody["time_s"] == []


@pytest.mark.parametrize(
    ("query", "named"),
    [
        (DAY, "sensor"),
        ("&".join(f"sensor={number}" for number in range(7)) + f"&{DAY}", "sensor"),
        ("sensor=ECCTH01&start=yesterday&end=2026-01-02", "start"),
        ("sensor=ECCTH01&start=2026-01-01", "end"),
        ("sensor=ECCTH01&start=2026-01-02&end=2026-01-01", "end"),
        ("sensor=ECCTH01&start=2026-01-01&end=9999-12-31", "end"),
        ("sensor=ECCTH01&start=0001-01-01T00:00%2B14:00&end=0001-01-02", "start"),
    ],
)
def test_what_can_not_be_answered_is_named(viewer: TestClient, query: str, named: str) -> None:
    for address in ("/api/history", "/history.csv"):
        answer = viewer.get(f"{address}?{query}", headers={"Accept": "application/json"})
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"].startswith(f"{named}: ")


def test_spreadsheets_get_the_same_points_in_the_viewer_s_units_and_time(viewer: TestClient) -> None:
    viewer.cookies.update({"units": "c", "zone": "Europe/Berlin"})
    head, *rows = lines(viewer, f"sensor=ECCTH02&sensor=ECCTH01&{DAY}")
    assert head[:5] == ["time (Europe/Berlin)", "time_utc", "sensor", "place", "readings"]
    assert head[5:8] == ["temperature_c_min", "temperature_c_mean", "temperature_c_max"]
    assert len(rows) == 11
    assert rows[0][:5] == ["2026-01-01 13:00:00", "2026-01-01T12:00:00Z", "ECCTH02", "Hall", "1"]
    assert rows[0][5:8] == ["10.0", "10.0", "10.0"]


def test_years_laid_over_each_other_come_into_one_table(house: House, viewer: TestClient) -> None:
    house.stored((utc_us("2025-01-01 12:00:00"), READING))
    _, *rows = lines(viewer, f"sensor=ECCTH02&sensor=ECCTH01&years=2&{DAY}")
    assert [row[1] for row in rows if row[1] < "2026"] == ["2025-01-01T12:00:00Z"]
    assert len(rows) == 12
    leap = "start=2024-02-29T00:00:00Z&end=2024-03-01T00:00:00Z"
    assert len(lines(viewer, f"sensor=ECCTH01&years=2&{leap}")) == 1
    assert viewer.get(f"/history.csv?sensor=ECCTH01&years=7&{DAY}").status_code == 400


@pytest.mark.parametrize("name", ["=1+1", "+49", "-1", "@sum", "\uff1d1"])
def test_a_spreadsheet_takes_no_name_as_a_formula(house: House, viewer: TestClient, name: str) -> None:
    house.stored((NOON_US, READING._replace(sensor_name=name, location=f"Hall;{name}")))
    _, row = lines(viewer, f"sensor={name.replace('+', '%2B')}&{DAY}")
    # Many countries separate cells by semicolons.
    assert row[2:4] == [f"'{name}", f"Hall;'{name}"]


def test_a_name_in_the_address_adds_no_header(viewer: TestClient) -> None:
    plain = viewer.get(f"/history.csv?sensor=x&{DAY}")
    split = viewer.get(f"/history.csv?sensor=x%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0a&{DAY}")
    assert split.headers.keys() == plain.headers.keys()
    assert split.headers["content-disposition"] == 'attachment; filename="history.csv"'


def test_the_page_offers_every_room_and_takes_what_its_address_says(viewer: TestClient) -> None:
    text = viewer.get(f"/history?sensor=ECCTH01&measure=dew_point&{DAY}").text
    assert 'value="ECCTH01" data-name="Office" checked' in text
    assert 'value="ECCTH02" data-name="Hall">' in text
    assert 'value="dew_point" checked' in text
    assert 'data-start="1767225600" data-end="1767312000"' in text


def test_what_makes_no_sense_in_the_address_is_passed_over(viewer: TestClient) -> None:
    text = viewer.get("/history?sensor=nobody&measure=x&range=x&compare=x").text
    assert 'value="ECCTH02" data-name="Hall" checked' in text
    assert 'value="week" checked' in text


def test_a_hostile_name_is_only_text(house: House, viewer: TestClient) -> None:
    house.stored((NOON_US, READING._replace(sensor_name=HOSTILE, location=HOSTILE)))
    text = viewer.get("/history", params={"sensor": HOSTILE}).text
    assert "<script>" not in text
    assert HOSTILE in text_of(viewer.get("/history"))


def test_with_the_listener_stopped_the_page_says_so_and_shows_what_there_is(
    house: House, viewer: TestClient
) -> None:
    shown = text_of(viewer.get("/history"))
    assert "The listener is not running. The newest reading is from" in shown
    assert "Office" in shown
    house.now_us += MINUTE_US
    house.well()
    assert "not running" not in text_of(viewer.get("/history"))


def test_without_any_sensor_the_page_says_what_to_do(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.stored()
    shown = text_of(house.viewer().get("/history"))
    assert "No sensor has sent a reading yet" in shown
    assert "make simulate" in shown


def test_without_a_database_the_page_says_what_to_do(tmp_path: Path) -> None:
    shown = text_of(House(tmp_path).viewer().get("/history"))
    assert "isn't there; the listener makes it when it starts" in shown
    assert "run make up to start it" in shown


def test_the_chart_library_comes_from_the_installed_package(viewer: TestClient) -> None:
    answer = viewer.get("/static/dygraphs/dygraph-combined.js")
    assert answer.status_code == 200
    assert "javascript" in answer.headers["content-type"]


def test_further_numbers_are_drawn_when_they_are_asked_for(house: House, viewer: TestClient) -> None:
    (house.folder / "limits.ini").write_text(
        "[ECCTH05]\nname field11 = Wind, m/s\noffset co2_ppm = -20\nabove CO2_ppm = 1200 for 1 h\n"
    )
    values = (("co2_ppm", 800.0), ("field11", 3.5), ("nobody", 1.0))
    house.stored((NOON_US, READING._replace(sensor_name="ECCTH05", values=values)))
    query = f"sensor=ECCTH05&sensor=ECCTH01&field=co2_ppm&field=field11&{DAY}"
    lab, office = program(viewer, f"/api/history?{query}")["sensors"]
    assert lab["values"] == {"co2_ppm": {"mean": [780.0]}, "field11": {"mean": [3.5]}}
    assert lab["limits"] == [{"kind": "above", "measure": "co2_ppm", "value": 1200}]
    assert office["values"]["co2_ppm"] == {"mean": [None] * 10}
    head, *rows = lines(viewer, query)
    assert head[-6:] == [
        f"{field}_{part}" for field in ("co2_ppm", "field11") for part in ("min", "mean", "max")
    ]
    assert rows[0][-6:] == ["780.0"] * 3 + ["3.5"] * 3
    assert rows[1][-6:] == [""] * 6
    shown = viewer.get("/history?sensor=ECCTH05&measure=field:co2_ppm").text
    assert 'data-measure="field:co2_ppm" data-field="co2_ppm" data-unit="ppm"' in shown
    assert "CO₂, ppm</h3>" in shown
    assert "Wind, m/s</h3>" in shown
    # What has no name is kept and exported, but no chart is offered.
    assert "nobody" not in shown


def test_at_most_six_further_numbers_come_at_once(viewer: TestClient) -> None:
    fields = "&".join(f"field=f{number}" for number in range(7))
    answer = viewer.get(f"/api/history?sensor=ECCTH01&{fields}&{DAY}", headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["detail"] == "field: at most 6 at once are allowed"
