"""A viewer's units and time zone, from cookies, and values shown in them.

Without cookies: the units that fit the browser's language, and the server's time zone. The page's script
stores the browser's time zone in the cookie `zone`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from ecc_listener.local_time import local_zone

Units = Literal["f", "c"]
UNITS: tuple[Units, ...] = ("f", "c")

_FAHRENHEIT_LANGUAGES = ("en-us", "en-bs", "en-ky", "en-lr", "en-pw", "en-fm", "en-mh", "es-us")
_MAX_ZONE_LENGTH = 40
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


class Preferences(NamedTuple):
    """What a viewer chose."""

    units: Units
    zone_name: str | None
    """None means the server's own."""

    @property
    def zone(self) -> tzinfo:
        """The time zone."""
        return (_zone(self.zone_name) if self.zone_name else None) or local_zone()

    def temperature(self, temperature_f: float | None) -> str:
        """Return a temperature with one decimal, without its unit; a dash if it is not known."""
        if temperature_f is None:
            return "\N{EN DASH}"
        return f"{self.degrees(temperature_f):.1f}".replace("-", "\N{MINUS SIGN}")

    def degrees(self, temperature_f: float) -> float:
        """Return a temperature in the viewer's units."""
        return temperature_f if self.units == "f" else (temperature_f - 32) / 1.8

    def difference(self, difference_f: float) -> float:
        """Return a difference of temperatures in the viewer's units."""
        return difference_f if self.units == "f" else difference_f / 1.8

    @property
    def unit(self) -> str:
        """The name of the unit."""
        return "°F" if self.units == "f" else "°C"

    def moment(self, time_us: int) -> datetime:
        """Return a time in the viewer's zone."""
        return datetime.fromtimestamp(time_us / 1e6, UTC).astimezone(self.zone)

    def when(self, time_us: int, now_us: int) -> str:
        """Return a time as text in the viewer's zone, as short as is clear."""
        moment, now = self.moment(time_us), self.moment(now_us)
        if moment.date() == now.date():
            return moment.strftime("%H:%M")
        form = "%a %-d %b, %H:%M" if abs((now - moment).days) < 300 else "%-d %b %Y, %H:%M"  # noqa: PLR2004 - a year is clear
        return moment.strftime(form)


def preferences(cookies: Mapping[str, str], languages: str) -> Preferences:
    """Return a viewer's preferences; what makes no sense is ignored."""
    units = cookies.get("units")
    zone_name: str | None = cookies.get("zone", "").replace("%2F", "/")
    if not zone_name or _zone(zone_name) is None:
        zone_name = None
    if units not in UNITS:
        first = languages.split(",", 1)[0].strip().lower()
        units = "f" if not first or first.startswith(_FAHRENHEIT_LANGUAGES) else "c"
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
    """Return how long ago something was."""
    seconds = max(0, (now_us - time_us) // 1_000_000)
    if seconds < _MINUTE_S:
        return "just now"
    if seconds < 2 * _HOUR_S:
        return f"{seconds // _MINUTE_S} min ago"
    if seconds < 2 * _DAY_S:
        return f"{seconds // _HOUR_S} h ago"
    return f"{seconds // _DAY_S:,} days ago"


def iso(time_us: int) -> str:
    """Return a time for the `datetime` attribute of HTML."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_iso_us(text: str) -> int:
    """Return a time of the health file, ISO text with its zone, in microseconds since 1970."""
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


def size(count: int) -> str:
    """Return a number of bytes with a unit."""
    value, unit = float(count), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":  # noqa: PLR2004 - the units' step
            break
        value /= 1000
    return f"{value:,.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:,.1f} {unit}"  # noqa: PLR2004 - three digits
