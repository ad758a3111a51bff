import pytest

from ecc_listener.monitoring.limits import DEFAULT, Limit, SensorLimits
from ecc_listener.readings.corrections import Offsets

HOUR_US = 3_600_000_000
MINUTE_US = HOUR_US // 60


def limits(text: str, name: str = "ECCTH01", location: str | None = "Office") -> dict[str, Limit]:
    found = SensorLimits(text).of(name, location)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("line", "kind", "value", "for_us"),
    [
        ("too cold = 40", "too_cold", 40, HOUR_US),
        ("too cold = 40 °F for 2 h", "too_cold", 40, 2 * HOUR_US),
        ("too hot = 30 °C", "too_hot", 86, HOUR_US),
        ("Too Hot = 30C for 90 min", "too_hot", 86, 90 * MINUTE_US),
        ("too cold = -5.5 °c for 0.5 h", "too_cold", 22.1, HOUR_US // 2),
        ("too damp = 70 %", "too_damp", 70, 6 * HOUR_US),
        ("too dry = 40% for 1 d", "too_dry", 40, 24 * HOUR_US),
        ("damp risk = 65 % for 48 h", "damp_risk", 65, 48 * HOUR_US),
        ("near dew point = 5 °F", "near_dew_point", 5, 3 * HOUR_US),
        ("near dew point = 2 °C", "near_dew_point", 3.6, 3 * HOUR_US),
        ("battery low = 30 %", "battery_low", 30, 2 * HOUR_US),
        ("weak signal = -80 dBm", "weak_signal", -80, 0),
        ("frozen = 12 h", "frozen", 12 * HOUR_US, 0),
        ("silent = 90 min", "silent", 90 * MINUTE_US, 0),
        ("jumps = yes", "jumps", 0, 0),
        ("too cold = 40 °F   # the pipes freeze", "too_cold", 40, HOUR_US),
    ],
)
def test_each_form_of_a_line_is_understood(line: str, kind: str, value: float, for_us: int) -> None:
    file = SensorLimits(f"[everywhere]\n{line}\n")
    assert file.problems == []
    found = file.of("ECCTH01", None)
    assert found is not None
    assert found[kind].value == pytest.approx(value)
    assert found[kind].for_us == for_us


def test_an_empty_file_watches_no_room() -> None:
    assert limits("") == DEFAULT
    assert not {"too_cold", "too_hot", "too_damp", "too_dry", "damp_risk", "near_dew_point"} & {*DEFAULT}


def test_the_sensor_wins_over_its_place_and_that_over_everywhere() -> None:
    text = """
        [ECCTH01]
        too cold = 50
        [Office]
        too cold = 45
        too dry = 30 %
        [everywhere]
        too cold = 40
        too dry = 20 %
        too damp = 80 %
        """
    own = limits(text)
    assert (own["too_cold"].value, own["too_dry"].value, own["too_damp"].value) == (50, 30, 80)
    assert limits(text, "ECCTH02")["too_cold"].value == 45
    assert limits(text, "ECCTH02", None)["too_cold"].value == 40
    assert limits(text, "eccth01", "office")["too_cold"].value == 50


def test_off_takes_a_limit_away_again() -> None:
    text = "[everywhere]\ntoo cold = 40\n[Office]\ntoo cold = off\nbattery low = off\n"
    assert not {"too_cold", "battery_low"} & {*limits(text)}
    assert "too_cold" in limits(text, location="Hall")


def test_watch_no_lets_nothing_be_told_of_that_sensor_alone() -> None:
    file = SensorLimits("[ECCTH07]\nwatch = no\n")
    assert file.of("ECCTH07", "Office") is None
    assert file.of("ECCTH01", "Office") == DEFAULT


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("too cold = chilly", "40 °F for 1 h, or 5 °C for 1 h"),
        ("too cold = 40 %", "40 °F"),
        ("too cold = 900", "40 °F"),
        ("too cold = 40 for ever", "40 °F"),
        ("too cold = nan", "40 °F"),
        ("too cold =", "40 °F"),
        ("too damp = 170 %", "70 % for 6 h"),
        ("weak signal = 80 dBm", "-85 dBm"),
        ("frozen = 6", "6 h"),
        ("jumps = perhaps", "yes or no"),
        ("watch = 5", "yes or no"),
        ("too clod = 40", "too cold, too hot"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_is_allowed(line: str, allowed: str) -> None:
    file = SensorLimits(f"[Office]\n{line}\ntoo dry = 30 %\n")
    (problem,) = file.problems
    assert problem.startswith("[Office] " + line.rstrip("= ").partition(" =")[0])
    assert allowed in problem
    found = file.of("ECCTH01", "Office")
    assert found is not None
    # What is right counts.
    assert found["too_dry"].value == 30


@pytest.mark.parametrize(
    "text", ["too cold = 40\n", "[a\n", "[a]\nword\n", "[a]\n[a]\n", "\0", "[everywhere]\n" * 9]
)
def test_nothing_in_the_file_is_fatal(text: str) -> None:
    file = SensorLimits(text)
    assert len(file.problems) == 1
    assert file.of("ECCTH01", "Office") == DEFAULT


def test_the_mistakes_that_are_told_are_few_and_short() -> None:
    file = SensorLimits("[everywhere]\n" + "".join(f"x{number} = {'9' * 500}\n" for number in range(100)))
    assert len(file.problems) == 5
    assert all(len(one) <= 200 for one in file.problems)


def test_further_numbers_get_names_by_sensor_location_and_everywhere() -> None:
    file = SensorLimits(
        "[everywhere]\nname field11 = Pressure, hPa\nname LUX = Light\n"
        "[Office]\nname field11 = Air pressure, mbar\n[ECCTH02]\nname lux = Sun, lx\n"
    )
    assert file.problems == []
    assert file.field_names("ECCTH01", None) == {"field11": ("Pressure", "hPa"), "lux": ("Light", "")}
    assert file.field_names("ECCTH02", "Office") == {
        "field11": ("Air pressure", "mbar"),
        "lux": ("Sun", "lx"),
    }


@pytest.mark.parametrize("value", ["", ", hPa", "x" * 41, f"Pressure, {'x' * 41}"])
def test_a_name_that_cannot_be_shown_is_a_mistake(value: str) -> None:
    (problem,) = SensorLimits(f"[everywhere]\nname field11 = {value}\n").problems
    assert problem.endswith("must be like Pressure, hPa")


def test_a_further_number_may_have_limits() -> None:
    file = SensorLimits(
        "[everywhere]\nabove co2_ppm = 1200 for 30 min\n[Office]\nbelow Field11 = -3.5\nabove co2_ppm = off\n"
    )
    assert file.problems == []
    assert (file.of("x", None) or {})["above co2_ppm"] == Limit(1200, 30 * 60_000_000)
    office = file.of("x", "Office") or {}
    assert office["below field11"] == Limit(-3.5)
    assert "above co2_ppm" not in office
    (problem,) = SensorLimits("[everywhere]\nabove co2_ppm = much\n").problems
    assert problem.endswith("must be like 1000 for 30 min, or off")


def test_who_is_ignored_is_said_by_the_nearest_section() -> None:
    file = SensorLimits("[everywhere]\nwatch = no\n[Office]\nwatch = yes\n[ECCTH01]\nwatch = no\n")
    ignored = {
        place: file.is_ignored(*place) for place in (("x", None), ("x", "Office"), ("ECCTH01", "Office"))
    }
    assert ignored == {("x", None): True, ("x", "Office"): False, ("ECCTH01", "Office"): True}
    assert not SensorLimits("").is_ignored("x", "Office")
    for (name, location), is_ignored in ignored.items():
        assert (file.of(name, location) is None) is is_ignored


def test_former_names_and_offsets_are_those_of_one_sensor() -> None:
    file = SensorLimits(
        '[Küche / oben]\nwas = ECCTH01, "a, b"\noffset temperature = -1 °C\noffset Field11 = 2\n'
        "[Office]\noffset humidity = 3 %\n"
    )
    assert file.problems == []
    for name in ("ECCTH01", "a, b", "küche / oben"):
        assert file.corrections.present_name(name) == "Küche / oben"
        assert file.corrections.offsets(name) == Offsets(temperature_f=-1.8, values={"field11": 2.0})
    assert file.corrections.offsets("ECCTH02") == Offsets()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[everywhere]\nwas = A", "[everywhere] was: belongs below the name of one sensor"),
        (
            "[everywhere]\noffset humidity = 3",
            "[everywhere] offset humidity: belongs below the name of one sensor",
        ),
        ("[A]\nwas =", "[A] was: must be the sensor's former name"),
        ("[A]\noffset temperature = 2 K", "[A] offset temperature = 2 K: must be like -1.5 °F or 0.8 °C"),
        ("[A]\nwas = B\n[B]\nwas = A", "was: 'B' and 'A' can't be former names of each other; no sensor is"),
    ],
)
def test_a_correction_that_makes_no_sense_is_named(text: str, problem: str) -> None:
    file = SensorLimits(f"{text}\n[Office]\noffset humidity = 3 %\n")
    assert [one[: len(problem)] for one in file.problems] == [problem]
    assert file.corrections.present_name("B") == "B"
    # All other lines are in effect.
    assert file.corrections.offsets("Office") == Offsets(humidity_percent=3.0)
