from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ecc_listener.history.month import Band
from ecc_listener.monitoring.comfort import USUAL, ComfortBands
from ecc_listener.monitoring.limits import SensorLimits

ZONE = ZoneInfo("America/New_York")


def us(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=ZONE).timestamp()) * 1_000_000  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("", USUAL),
        ("[Nave]\ntoo cold = 45 F\n", USUAL._replace(temperature_low_f=45)),
        ("[everywhere]\ntoo damp = 70 %\n[ECCTH02]\ntoo dry = 30 %\n", Band(67, 82, 30, 70)),
        ("[Nave]\ntoo hot = 25 C for 2 h\n", USUAL._replace(temperature_high_f=77)),
        ("[everywhere]\ntoo cold = 45 F\n[Nave]\ntoo cold = off\n", USUAL),
        ("[Nave]\nwatch = no\ntoo cold = 45 F\n", USUAL),
    ],
)
def test_limits_replace_their_part_of_the_usual_band(text: str, band: Band) -> None:
    bands = ComfortBands(SensorLimits(text), ZONE)
    assert bands.of("ECCTH02", "Nave", us(2026, 3, 1)) == band
    assert not bands.at_times("ECCTH02", "Nave")


def test_a_limit_that_applies_at_times_applies_in_local_time_on_both_sides_of_the_change() -> None:
    bands = ComfortBands(SensorLimits("[Nave]\ntoo cold = 45 F; 60 F on Sun 08:00-13:00\n"), ZONE)
    assert bands.at_times("ECCTH02", "Nave") == {"too_cold"}
    assert not bands.at_times("ECCTH01", "Office")
    # Daylight saving time began on 8 March, a Sunday.
    for day in 1, 8, 15:
        found = [bands.of("ECCTH02", "Nave", us(2026, 3, day, hour))[0] for hour in range(24)]
        assert found == [45] * 8 + [60] * 5 + [45] * 11
    assert bands.of("ECCTH02", "Nave", us(2026, 3, 2, 9))[0] == 45
    assert bands.of("ECCTH01", "Office", us(2026, 3, 1, 9)) == USUAL
