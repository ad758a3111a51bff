"""How a viewer wants to see things: units and time zone, from cookies; and values in these words.

Without cookies: the units of the viewer's language, and the server's time zone. The page's script notes the
browser's time zone in the cookie `zone`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from ecc_listener.local_time import local_zone

Units = Literal["f", "c"]
UNITS: tuple[Units, ...] = ("f", "c")

_FAHRENHEIT_LANDS = ("en-us", "en-bs", "en-ky", "en-lr", "en-pw", "en-fm", "en-mh", "es-us")
_MAX_ZONE_LENGTH = 40
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


class Preferences(NamedTuple):
    """What a viewer chose."""

    units: Units
    zone_name: str | None
    """None: the server's own."""

    @property
    def zone(self) -> tzinfo:
        """Give the time zone."""
        return (_zone(self.zone_name) if self.zone_name else None) or local_zone()

    def temperature(self, temperature_f: float) -> str:
        """Give a temperature with one decimal, without its unit."""
        return f"{self.degrees(temperature_f):.1f}".replace("-", "\N{MINUS SIGN}")

    def degrees(self, temperature_f: float) -> float:
        """Give a temperature in the viewer's units."""
        return temperature_f if self.units == "f" else (temperature_f - 32) / 1.8

    def difference(self, difference_f: float) -> float:
        """Give a difference of temperatures in the viewer's units."""
        return difference_f if self.units == "f" else difference_f / 1.8

    @property
    def unit(self) -> str:
        """Give the unit's name."""
        return "°F" if self.units == "f" else "°C"

    def moment(self, time_us: int) -> datetime:
        """Give a time in the viewer's zone."""
        return datetime.fromtimestamp(time_us / 1e6, UTC).astimezone(self.zone)

    def when(self, time_us: int, now_us: int) -> str:
        """Give a time in words: as short as it is clear, in the viewer's zone."""
        moment, now = self.moment(time_us), self.moment(now_us)
        if moment.date() == now.date():
            return moment.strftime("%H:%M")
        form = "%a %-d %b, %H:%M" if abs((now - moment).days) < 300 else "%-d %b %Y, %H:%M"  # noqa: PLR2004 - a year is clear
        return moment.strftime(form)


def preferences(cookies: Mapping[str, str], languages: str) -> Preferences:
    """Read a viewer's taste; what makes no sense counts as not given."""
    units = cookies.get("units")
    zone_name: str | None = cookies.get("zone", "").replace("%2F", "/")
    if not zone_name or _zone(zone_name) is None:
        zone_name = None
    if units not in UNITS:
        first = languages.split(",", 1)[0].strip().lower()
        units = "f" if not first or first.startswith(_FAHRENHEIT_LANDS) else "c"
    return Preferences("f" if units == "f" else "c", zone_name)


@lru_cache(64)
def _zone(name: str) -> tzinfo | None:
    if len(name) > _MAX_ZONE_LENGTH:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def ago(time_us: int, now_us: int) -> str:
    """Say how long ago something was."""
    seconds = max(0, (now_us - time_us) // 1_000_000)
    if seconds < _MINUTE_S:
        return "just now"
    if seconds < 2 * _HOUR_S:
        return f"{seconds // _MINUTE_S} min ago"
    if seconds < 2 * _DAY_S:
        return f"{seconds // _HOUR_S} h ago"
    return f"{seconds // _DAY_S:,} days ago"


def iso(time_us: int) -> str:
    """Give a time as HTML's `datetime` has it."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_iso_us(text: str) -> int:
    """Give a time of the health file, ISO text with its zone, as microseconds since 1970."""
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def size(count: int) -> str:
    """Give a number of bytes in words."""
    value, unit = float(count), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":  # noqa: PLR2004 - the units' step
            break
        value /= 1000
    return f"{value:,.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:,.1f} {unit}"  # noqa: PLR2004 - three digits
