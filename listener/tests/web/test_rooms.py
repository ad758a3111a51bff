from pathlib import Path
from typing import Any

import pytest

from ecc_listener import health
from ecc_listener.notifications import table
from ecc_listener.notifications.notice import Notice
from ecc_listener.readings.build import build
from ecc_listener.readings.reading import Reading
from ecc_listener.storage.connection import connect
from support.viewers import MINUTE_US, READING, House, program, text_of

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "\N{BELL}🔔 Glocke",
    "\u202eevil\u2066",
    "مصلى",
    "x" * 300,
    "../../../etc/passwd?a=b&c=d#e",
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.stored((made.now_us - 70 * MINUTE_US, READING._replace(temperature_f=70.0)), (made.now_us, READING))
    made.well()
    return made


def noticed(house: House, *notices: Notice) -> None:
    """Let the watch have written notices."""
    connection = connect(house.database)
    table.write_notices(connection, [(notice, notice.resolved_us is not None) for notice in notices])
    connection.close()
    house.now_us += MINUTE_US
    house.well()


def notice(house: House, number: int, kind: str, sensor: str, **details: Any) -> Notice:  # noqa: ANN401 - any fact
    return Notice(number, kind, sensor, "Office", house.now_us - 90 * MINUTE_US, None, None, 1, details)


def test_each_room_with_all_that_its_sensor_says(house: House) -> None:
    shown = text_of(house.viewer().get("/"))
    said = "Office ECCTH01 Temperature 73.5 °F rising Humidity 39 % Dew point 47.1 °F 24 hours 70 to 73 °F"
    assert f"{said} Battery 94 % Signal good just now" in shown


def test_the_range_of_a_day_is_that_of_all_readings(house: House) -> None:
    half_hour = house.now_us - 30 * MINUTE_US
    # Neither the first reading of its half hour, nor the newest one.
    for at_us, temperature_f in ((half_hour, 71.0), (half_hour + MINUTE_US, 52.0), (half_hour + 2, 71.0)):
        house.stored((at_us, READING._replace(temperature_f=temperature_f)))
    viewer = house.viewer()
    assert "24 hours 52 to 73 °F" in text_of(viewer.get("/"))
    assert program(viewer, "/")["rooms"][0]["range_24h_f"] == [52.0, 73.45]
    # The newest one counts at once, in a half hour that was read before.
    house.stored((house.now_us + MINUTE_US, READING._replace(temperature_f=80.2)))
    house.now_us += MINUTE_US
    house.well()
    assert "24 hours 52 to 80 °F" in text_of(viewer.get("/"))
    # A day later, none of them does.
    house.now_us += 24 * 60 * MINUTE_US
    assert "24 hours" not in text_of(viewer.get("/"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"temperature_f": 33.1}, "33.1 °F, colder than 35.0 °F"),
        ({"temperature_f": 110.0}, "110.0 °F, warmer than 105.0 °F"),
        ({"battery_percent": 0.0}, "battery at 0 %, below 20 %"),
        ({"humidity_percent": 97.0}, "humidity 97 %, above 95 %"),
    ],
)
def test_all_is_well_is_never_said_above_a_card_that_shows_otherwise(
    house: House, value: dict[str, float], said: str
) -> None:
    house.stored(
        (
            house.now_us + MINUTE_US,
            READING._replace(**value),  # type: ignore[arg-type]
        )
    )
    house.now_us += MINUTE_US
    house.well()
    viewer = house.viewer()
    text = text_of(viewer.get("/"))
    assert text.count("1 value is beyond its limit") == 1
    assert f"Office: {said}" in text
    # The card itself says it, too.
    assert f"Office ECCTH01 {said[:1].upper()}{said[1:]} Temperature" in text
    seen = program(viewer, "/")
    assert seen["is_well"] is False
    # Once a rule is sure, there is only its problem.
    kind = seen["troubles"][0]["kind"]
    noticed(house, notice(house, 1, kind, "ECCTH01", **value, limit=0.0))
    text = text_of(viewer.get("/"))
    assert "1 problem needs attention" in text
    assert said not in text


def test_the_limits_file_decides_what_is_beyond(house: House) -> None:
    limits = house.folder / "limits.ini"
    limits.write_text("[Office]\ntoo hot = 22 C for 2 h\n")
    house.stored((house.now_us + MINUTE_US, READING._replace(temperature_f=73.0, battery_percent=3.0)))
    house.now_us += MINUTE_US
    house.well()
    viewer = house.viewer()
    text = text_of(viewer.get("/"))
    assert "2 values are beyond their limits" in text
    assert "Office: 73.0 °F, warmer than 71.6 °F You get a message if it stays like that." in text
    # An edit counts without a new reading.
    limits.write_text("[Office]\ntoo hot = off\nbattery low = off\n")
    house.now_us += MINUTE_US
    house.well()
    assert "All is well" in text_of(viewer.get("/"))
    limits.write_text("[ECCTH01]\nwatch = no\n")
    house.now_us += MINUTE_US
    house.well()
    assert "All is well" in text_of(viewer.get("/"))


def test_what_no_limit_is_set_for_says_how_to_hide_it(house: House) -> None:
    house.stored((house.now_us + MINUTE_US, READING._replace(temperature_f=20.0)))
    house.now_us += MINUTE_US
    house.well()
    text = text_of(house.viewer().get("/"))
    assert 'If it is usual there, write "too cold = off" below [ECCTH01] in that file.' in text


def test_a_further_number_with_a_name_is_on_the_card(house: House) -> None:
    limits = house.folder / "limits.ini"
    limits.write_text("[everywhere]\nname field11 = Pressure, hPa\n[ECCTH01]\nname LUX = Light\n")
    values = (("Lux", 300.0), ("field11", 1013.25), ("field12", 4.0))
    house.stored((house.now_us + MINUTE_US, READING._replace(values=values)))
    house.now_us += MINUTE_US
    house.well()
    viewer = house.viewer()
    text = text_of(viewer.get("/"))
    assert "Light 300 Pressure 1013.25 hPa" in text
    assert "field12" not in text
    assert program(viewer, "/")["rooms"][0]["values"] == {"Light": 300.0, "Pressure": 1013.25}


def test_a_door_contact_has_a_card_without_a_temperature(house: House) -> None:
    (door,) = build("door", {"contact_closed": 1.0, "battery_percent": 80.0, "linkquality_lqi": 105.0})
    house.stored((house.now_us + MINUTE_US, door))
    house.now_us += MINUTE_US
    house.well()
    shown = text_of(house.viewer().get("/"))
    assert "door Closed yes Battery 80 % just now" in shown
    (changed,) = build("door", {"contact_closed": 0.0})
    house.stored((house.now_us + MINUTE_US, changed))
    house.now_us += MINUTE_US
    house.well()
    assert "door Closed no Battery 80 %" in text_of(house.viewer().get("/"))


def test_a_card_leaves_out_what_a_sensor_does_not_send(house: House) -> None:
    lacks = {"dew_point_f": None, "humidity_percent": None, "battery_v": None, "battery_percent": None}
    house.stored(
        (
            house.now_us + MINUTE_US,
            READING._replace(**lacks, rssi_dbm=None, sensor_name="S2", location="Hall"),  # type: ignore[arg-type]
        )
    )
    house.now_us += MINUTE_US
    house.well()
    shown = text_of(house.viewer().get("/"))
    assert "All is well" in shown
    assert "Hall S2 Temperature 73.5 °F just now" in shown


def test_a_card_shows_what_a_device_sent_by_itself_some_hours_ago(house: House) -> None:
    part = Reading(None, None, 41.0, None, None, None, "ECCTH01", None, None, None, is_part=True)
    house.stored((house.now_us + 5 * 60 * MINUTE_US, part))
    house.now_us += 5 * 60 * MINUTE_US
    house.well()
    assert "Temperature 73.5 °F" in text_of(house.viewer().get("/"))
    assert "Humidity 41 %" in text_of(house.viewer().get("/"))
    # That doesn't hold for ever.
    house.stored((house.now_us + 7 * 60 * MINUTE_US, part))
    house.now_us += 7 * 60 * MINUTE_US
    house.well()
    (room,) = program(house.viewer(), "/")["rooms"]
    assert (room["temperature_f"], room["humidity_percent"]) == (None, 41.0)


def test_all_is_well_in_one_line(house: House) -> None:
    shown = text_of(house.viewer().get("/"))
    assert "All is well 1 sensor, newest reading just now" in shown


def test_what_is_wrong_stands_first_in_the_watch_s_words_with_what_to_do(house: House) -> None:
    attic = READING._replace(sensor_name="ECCTH09", location="Attic")
    house.stored((house.now_us, attic))
    noticed(house, notice(house, 1, "silent", "ECCTH01", battery_percent=4.0))
    shown = text_of(house.viewer().get("/"))
    assert "1 problem needs attention Office: no reading since 10:30" in shown
    assert "so it is most likely empty. Put in a new battery." in shown
    # Trouble comes first, though Attic is before Office.
    assert shown.index("Office ECCTH01 No reading since 10:30") < shown.index("Attic ECCTH09")
    told = program(house.viewer(), "/")
    assert told["is_well"] is False
    (trouble,) = told["troubles"]
    assert (trouble["kind"], trouble["sensor"]) == ("silent", "ECCTH01")
    assert trouble["since_utc"] == "2026-01-01 10:30:00.000000"


def test_the_gravest_comes_first_and_what_is_over_or_merely_happened_not_at_all(house: House) -> None:
    over = notice(house, 3, "too_cold", "ECCTH01")._replace(resolved_us=house.now_us)
    damp = notice(house, 1, "too_damp", "ECCTH01", humidity_percent=80.0, limit=65.0)
    disk = notice(house, 2, "disk", "", free_bytes=1e9, folder="/data")._replace(location=None)
    happened = notice(house, 4, "new", "ECCTH05")
    noticed(house, damp, disk, over, happened)
    told = program(house.viewer(), "/")
    assert [one["kind"] for one in told["troubles"]] == ["disk", "too_damp"]


def test_more_trouble_than_a_screen_takes_is_counted(house: House) -> None:
    noticed(house, *(notice(house, number, "silent", f"S{number}") for number in range(1, 31)))
    shown = text_of(house.viewer().get("/"))
    assert "30 problems need attention" in shown
    assert "20 more under Events" in shown


def test_a_listener_whose_clock_runs_fast_writes_its_health_file_less_often(house: House) -> None:
    house.well(written_utc=health.utc_iso(house.now_us - 100_000_000), stale_s=3_600)
    assert program(house.viewer(), "/")["troubles"] == []


def test_a_page_tells_the_browser_of_a_clock_that_runs_fast(house: House) -> None:
    viewer = house.viewer()
    assert "data-clock" not in viewer.get("/").text
    viewer.app.state.page_clock = "1 2 120"  # type: ignore[attr-defined]
    assert 'data-clock="1 2 120"' in viewer.get("/").text


@pytest.mark.parametrize(
    ("changes", "headline", "does"),
    [
        (
            {"broker_fault": "broker refuses user 'x'"},
            "is not connected to the broker",
            "make up on the server",
        ),
        (
            {"hearing_fault": "sensors publish on attic"},
            "connected to the broker, but can't hear the sensors",
            "run make restart",
        ),
        ({"store_fault": "the disk is full"}, "Readings can't be stored", "The broker keeps them meanwhile"),
        (
            {"written_utc": "2026-01-01 11:00:00+00:00"},
            "has not responded since 11:00",
            "make logs to see why",
        ),
    ],
)
def test_what_the_listener_cannot_write_down_itself_is_seen_all_the_same(
    house: House, changes: dict[str, object], headline: str, does: str
) -> None:
    house.well(**changes)
    (trouble,) = program(house.viewer(), "/")["troubles"]
    assert headline in trouble["headline"]
    assert does in trouble["advice"]


def test_a_stopped_listener_is_told_and_what_was_known_still_shown(house: House) -> None:
    house.health_path.unlink()
    shown = text_of(house.viewer().get("/"))
    assert "The listener is not running The newest reading is from 12:00" in shown
    assert "73.5" in shown


def test_programs_get_the_same_with_units_in_the_names(house: House) -> None:
    (room,) = program(house.viewer(), "/")["rooms"]
    assert (room["sensor"], room["location"]) == ("ECCTH01", "Office")
    assert room["temperature_f"] == 73.45
    assert room["last_utc"] == "2026-01-01 12:00:00.000000"
    assert room["trend_f_per_h"] == pytest.approx(3.45 / (7 / 6), abs=0.01)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_just_a_name(house: House, name: str) -> None:
    house.stored((house.now_us, READING._replace(sensor_name=name, location=name)))
    noticed(house, notice(house, 1, "silent", name)._replace(location=name))
    viewer = house.viewer()
    for address in ("/", "/events", "/system"):
        text = viewer.get(address).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "onerror=alert(1)>" not in text
    shown = viewer.get("/")
    assert name in text_of(shown)
    # The link to its history finds it again, whatever it is called.
    assert name in {room["sensor"] for room in program(viewer, "/")["rooms"]}


def test_units_are_the_viewer_s_choice_and_kept(house: House) -> None:
    viewer = house.viewer()
    assert "73.5 °F" in text_of(viewer.get("/"))
    back = viewer.get("/units/c", headers={"Referer": "http://127.0.0.1:8080/"})
    assert back.url.path == "/"
    assert "23.0 °C" in text_of(back)
    assert "23.0 °C" in text_of(viewer.get("/"))
    german = house.viewer(**{"Accept-Language": "de-DE,de;q=0.9,en-US;q=0.5"})
    assert "23.0 °C" in text_of(german.get("/"))


@pytest.mark.parametrize(
    "place", ["https://evil.example/x", "//evil.example", "https://h/\\evil.example", "/\\e"]
)
def test_the_way_back_never_leads_elsewhere(house: House, place: str) -> None:
    answer = house.viewer().get("/units/c", headers={"Referer": place}, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/")
    assert not answer.headers["location"].startswith(("//", "/\\"))


def test_times_are_in_the_viewer_s_zone(house: House) -> None:
    house.health_path.unlink()
    viewer = house.viewer()
    viewer.cookies.set("zone", "America/New_York")
    assert "The newest reading is from 07:00" in text_of(viewer.get("/"))
    assert "Times are shown in America/New York" in text_of(viewer.get("/"))
    for nonsense in ("Nowhere/At_All", "../../etc/passwd", "x" * 1000, "%2F"):
        viewer.cookies.clear()
        viewer.cookies.set("zone", nonsense)
        assert "Times are shown in the server" in text_of(viewer.get("/"))


def test_before_the_first_reading_it_says_what_to_do(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.stored()
    house.well()
    shown = text_of(house.viewer().get("/"))
    assert "No sensor has sent a reading yet" in shown
    assert "Enter in a sensor what make up prints on the server" in shown


def test_without_a_database_it_says_so_and_what_to_do(tmp_path: Path) -> None:
    house = House(tmp_path)
    shown = text_of(house.viewer().get("/"))
    assert "The listener is not running" in shown
    assert "isn't there; the listener makes it when it starts" in shown
    assert "run make up to start it" in shown


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.database.write_bytes(b"no database, " * 1000)
    house.well()
    assert "the file is no SQLite database" in text_of(house.viewer().get("/"))


def test_fifty_rooms_are_a_small_page_and_quick(house: House) -> None:
    for sensor in range(50):
        house.stored(
            *(
                (house.now_us - slot * 10 * MINUTE_US, READING._replace(sensor_name=f"S{sensor:02d}"))
                for slot in range(143, -1, -1)
            )
        )
    viewer = house.viewer(**{"Accept-Encoding": "identity"})
    assert len(viewer.get("/").content) < 130_000
    zipped = viewer.get("/", headers={"Accept-Encoding": "gzip"}).num_bytes_downloaded
    scripts = sum(
        len(viewer.get(f"/static/{name}").content) for name in ("page.css", "page.js", "live.js", "ago.js")
    )
    assert zipped + scripts < 100_000


def test_a_renamed_and_calibrated_sensor_is_one_room_with_corrected_values(house: House) -> None:
    old = READING._replace(temperature_f=80.0, values=(("pressure_hpa", 990.0),))
    house.stored(
        (house.now_us - 200 * MINUTE_US, old),
        (
            house.now_us - 10 * MINUTE_US,
            READING._replace(sensor_name="Küche", values=(("pressure_hpa", 1000.0),)),
        ),
    )
    (house.folder / "limits.ini").write_text(
        "[Küche]\nwas = ECCTH01\noffset temperature = -1.5 °F\noffset humidity = 2 %\n"
        "offset pressure_hpa = 3\nname pressure_hpa = Pressure, hPa\n",
        encoding="utf-8",
    )
    viewer = house.viewer()
    [room] = program(viewer, "/api/rooms")["rooms"]
    assert (room["sensor"], room["temperature_f"], room["humidity_percent"]) == ("Küche", 71.95, 41.17)
    assert room["range_24h_f"] == [68.5, 78.5]
    # The newest reading came under the former name, and a further number holds for hours.
    assert room["values"] == {"Pressure": 993.0}
    address = "/api/history?sensor=Küche&start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z"
    [sensor] = program(viewer, address)["sensors"]
    assert sensor["temperature_f"]["mean"] == [78.5, 68.5, 71.95, 71.95]
    assert "ECCTH01" not in text_of(viewer.get("/history"))


def test_of_too_many_sensors_the_newest_are_shown(house: House) -> None:
    house.stored(
        *(
            (house.now_us - 3_000 * MINUTE_US + number, READING._replace(sensor_name=f"A{number}"))
            for number in range(1_100)
        ),
        (house.now_us, READING._replace(sensor_name="ZZ newest")),
    )
    names = {room["sensor"] for room in program(house.viewer(), "/api/rooms")["rooms"]}
    assert len(names) == 1_000
    assert {"ZZ newest", "ECCTH01", "A1099"} <= names
