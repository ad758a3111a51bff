"""The comfort band of a room in an hour: its limits where the limits file sets some, else the usual band."""

from datetime import tzinfo

from ecc_listener.history.month import Band
from ecc_listener.local_time import local
from ecc_listener.monitoring.limits import SensorLimits

USUAL = Band(67, 82, 40, 60)
"""Temperatures in which people who sit indoors are comfortable, from winter to summer clothes (ASHRAE 55),
and the humidity that wood, books, organs and people tolerate."""

_KINDS = ("too_cold", "too_hot", "too_dry", "too_damp")
"""The kinds of limits that replace the parts of a band, in its order."""
_HALF_HOUR_US = 1_800_000_000


class ComfortBands:
    """The band of each room, by a limits file that is used for nothing else: it is set to other times."""

    def __init__(self, limits: SensorLimits, zone: tzinfo) -> None:
        """Take the limits, and the zone of the times at which some of them apply."""
        self._limits, self._zone = limits, zone
        self._slots: dict[int, tuple[int, int, int]] = {}
        self._bands: dict[tuple[str, str | None, tuple[int, int, int] | None], Band] = {}
        self._changes: dict[tuple[str, str | None], bool] = {}

    def of(self, sensor: str, location: str | None, hour_us: int) -> Band:
        """Return the band in the middle of the hour that begins at a time."""
        room = sensor, location
        if room not in self._changes:
            self._changes[room] = bool(self.at_times(*room))
        slot = self._slot(hour_us) if self._changes[room] else None
        if (*room, slot) not in self._bands:
            self._bands[*room, slot] = self._at(sensor, location, hour_us)
        return self._bands[*room, slot]

    def _slot(self, hour_us: int) -> tuple[int, int, int]:
        """Return what limits that apply at times depend on: day of the week, hour and minute."""
        if hour_us not in self._slots:
            at = local(hour_us + _HALF_HOUR_US, self._zone)
            self._slots[hour_us] = at.weekday(), at.hour, at.minute
        return self._slots[hour_us]

    def at_times(self, sensor: str, location: str | None) -> set[str]:
        """Return the kinds of limits of a room, too_cold and so on, that apply at times only."""
        return self._limits.scheduled_kinds(sensor, location).intersection(_KINDS)

    def _at(self, sensor: str, location: str | None, hour_us: int) -> Band:
        self._limits.set_time(local(hour_us + _HALF_HOUR_US, self._zone))
        limits = self._limits.of(sensor, location) or {}
        return Band(
            *(
                limits[kind].value if kind in limits else usual
                for kind, usual in zip(_KINDS, USUAL, strict=True)
            )
        )
