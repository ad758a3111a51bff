"""Rooms and hours of a week, for the tests of the digest."""

from datetime import date
from zoneinfo import ZoneInfo

from ecc_listener.digest.content import SensorWeek
from ecc_listener.history.rollups import Bucket
from ecc_listener.local_time import midnight_us

ZONE = ZoneInfo("America/New_York")
MONDAY = date(2026, 11, 16)
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
START_US = midnight_us(MONDAY, ZONE)


def hours(start_us: int, *counts: int, temperature_f: float = 60.0) -> list[Bucket]:
    return [
        Bucket(start_us + index * HOUR_US, count, 50, temperature_f, 70, 30, 40, 50, 40, 45, 50)
        for index, count in enumerate(counts)
        if count
    ]


def room(**changes: object) -> SensorWeek:
    whole = SensorWeek(
        "ECCTH01", "Office", hours(START_US, *[6] * 168), hours(START_US - 7 * DAY_US, *[6] * 168), 93
    )
    return whole._replace(**changes)  # type: ignore[arg-type]
