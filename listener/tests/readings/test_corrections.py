"""Former names and offsets: what they make of a reading, and which of them make no sense."""

import pytest

from ecc_listener.readings.corrections import NO_CORRECTIONS, Corrections, Offsets, parse_offset
from ecc_listener.readings.form import decode
from support.brokers import OFFICE

READING = decode(OFFICE)._replace(
    temperature_f=70.3, humidity_percent=40.0, dew_point_f=45.0, values=(("Field11", 1000.0),)
)


def test_a_reading_gets_its_present_name_and_its_offsets() -> None:
    corrections = Corrections(
        {"Kitchen": ["ECCTH01"]}, {"kitchen": Offsets(-1.5, 3.0, 0.5, {"field11": -2.5})}
    )
    shown = corrections.apply(READING)
    assert shown.sensor_name == "Kitchen"
    assert (shown.temperature_f, shown.humidity_percent, shown.dew_point_f) == (68.8, 43.0, 45.5)
    assert shown.values == (("Field11", 997.5),)
    assert shown.location == READING.location


def test_what_nobody_corrects_stays_as_it_is() -> None:
    assert not NO_CORRECTIONS
    assert NO_CORRECTIONS.apply(READING) == READING
    corrections = Corrections({"Kitchen": ["ECCTH02"]}, {"Hall": Offsets(1.0)})
    assert corrections.apply(READING) == READING


def test_a_quantity_that_is_missing_stays_missing() -> None:
    empty = READING._replace(temperature_f=None, humidity_percent=None, dew_point_f=None, values=())
    assert Corrections({}, {"ECCTH01": Offsets(1.0, 1.0, 1.0)}).apply(empty) == empty


@pytest.mark.parametrize(("offset", "shown"), [(70.0, 100.0), (-70.0, 0.0), (0.0, 40.0)])
def test_a_corrected_humidity_stays_possible(offset: float, shown: float) -> None:
    assert Offsets(humidity_percent=offset).humidity(40.0) == shown


def test_a_humidity_that_nobody_corrects_is_shown_as_it_was_sent() -> None:
    assert Offsets().humidity(104.0) == 104.0


def test_a_sensor_may_be_renamed_several_times_and_capitals_make_no_difference() -> None:
    corrections = Corrections({"C": ["B"], "B": ["A", "Ä 🔔/x"]})
    for name in ("A", "a", "B", "ä 🔔/x", "C", "c"):
        assert corrections.present_name(name) == "C"
    assert corrections.present_name("D") == "D"
    assert corrections.former_names("C") == ["B", "A", "Ä 🔔/x"]
    assert corrections.former_names("B") == []


@pytest.mark.parametrize(
    "former",
    [
        {"A": ["A"]},
        {"A": ["a"]},
        {"A": ["C"], "B": ["c"]},
        {"A": ["B"], "B": ["A"]},
        {"A": ["B"], "B": ["C"], "C": ["A"]},
        {"D": ["A"], "A": ["B"], "B": ["A"]},
    ],
)
def test_names_that_contradict_each_other_are_refused(former: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="can't be"):
        Corrections(former)


@pytest.mark.parametrize(
    ("quantity", "text", "offsets"),
    [
        ("temperature", "-1.5 °F", Offsets(temperature_f=-1.5)),
        ("temperature", "+2", Offsets(temperature_f=2.0)),
        ("temperature", "-0.5 °C", Offsets(temperature_f=-0.9)),
        ("dew point", "1C", Offsets(dew_point_f=1.8)),
        ("humidity", "3 %", Offsets(humidity_percent=3.0)),
        ("humidity", "-3", Offsets(humidity_percent=-3.0)),
        ("field11", "12.5", Offsets(values={"field11": 12.5})),
        ("field11", "12.5 hPa", None),
        ("field11", "3 %", None),
        ("temperature", "3 %", None),
        ("humidity", "3 °F", None),
        ("temperature", "warm", None),
        ("temperature", "1e9", None),
        ("temperature", "", None),
        ("", "1", None),
    ],
)
def test_an_offset_as_people_write_it(quantity: str, text: str, offsets: Offsets | None) -> None:
    assert parse_offset(Offsets(), quantity, text) == offsets


def test_offsets_of_one_sensor_add_up() -> None:
    first = parse_offset(Offsets(), "temperature", "1 °F")
    assert first is not None
    second = parse_offset(first, "co2_ppm", "-20")
    assert second == Offsets(temperature_f=1.0, values={"co2_ppm": -20.0})
