"""How notices show numbers, names and times."""

from datetime import tzinfo
from typing import NamedTuple

from ecc_listener.local_time import day_and_time, duration, local
from ecc_listener.notifications.notice import Notice

_MAX_SHOWN = 60
_MAX_NAME = 30

Rows = tuple[tuple[str, str], ...]


class Context(NamedTuple):
    """A notice, and the time and the time zone in which it is described."""

    notice: Notice
    now_us: int
    zone: tzinfo

    @property
    def where(self) -> str:
        """The location, or else the sensor's name."""
        return clean(self.notice.location or self.notice.subject, _MAX_NAME)

    @property
    def location(self) -> str:
        """The location; empty if it isn't known."""
        return clean(self.notice.location or "")

    @property
    def name(self) -> str:
        """The sensor's name."""
        return clean(self.notice.subject, _MAX_NAME)

    @property
    def lasted(self) -> str:
        """How long it has lasted, or did."""
        return duration((self.notice.resolved_us or self.now_us) - self.notice.since_us)

    def number(self, detail: str) -> float | None:
        """Return a detail that is a number; None if it isn't known."""
        value = self.notice.details.get(detail)
        return value if isinstance(value, int | float) else None

    def text(self, detail: str) -> str:
        """Return a detail that is a text, made printable; empty if it isn't known."""
        value = self.notice.details.get(detail)
        return clean(value, 3 * _MAX_SHOWN) if isinstance(value, str) else ""

    def hour(self, time_us: int) -> str:
        """Return a time for a headline: "14:20" today, otherwise with the day."""
        moment, now = local(time_us, self.zone), local(self.now_us, self.zone)
        return moment.strftime("%H:%M" if moment.date() == now.date() else "%a %-d %b %H:%M")

    def when(self, time_us: int) -> str:
        """Return a time with its zone."""
        return day_and_time(time_us, self.now_us, self.zone)


def clean(text: str, most: int = _MAX_SHOWN) -> str:
    """Return a text from the network that can't control whatever shows it: printable, and not too long."""
    shown = "".join(one if one.isprintable() else "?" for one in text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def temperature(value_f: float | None) -> str:
    """Return a temperature in both units."""
    return "unknown" if value_f is None else f"{value_f:.1f} °F ({(value_f - 32) / 1.8:.1f} °C)"


def difference(value_f: float | None) -> str:
    """Return a difference of temperatures in both units."""
    return "a little" if value_f is None else f"{value_f:.1f} °F ({value_f / 1.8:.1f} °C)"


def size(value_bytes: float | None) -> str:
    """Return a size in MB or GB."""
    value_bytes = value_bytes or 0
    return f"{value_bytes / 1e9:.1f} GB" if value_bytes >= 1e9 else f"{value_bytes / 1e6:.0f} MB"  # noqa: PLR2004


def signal(rssi_dbm: float) -> str:
    """Return a signal strength and what it means; devices that don't know it send a positive number."""
    if rssi_dbm >= 0:
        return "unknown"
    meaning = "good" if rssi_dbm > -75 else "fair" if rssi_dbm > -85 else "weak"  # noqa: PLR2004 - usual steps
    return f"{rssi_dbm:.0f} dBm ({meaning})"


def whole(number: float | None) -> str:
    """Return a number without decimals."""
    return "?" if number is None else f"{number:,.0f}"


def sentence(text: str | None) -> str:
    """Return a text with a capital first letter and a full stop; nothing for nothing."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def counted(number: float | None, unit: str) -> str:
    """Return a number with its unit: "1 day", "2 days"."""
    rounded = round(number or 0)
    return f"{rounded:,} {unit}" if rounded == 1 else f"{rounded:,} {unit}s"


def ordinal(number: float) -> str:
    """Return 1st, 2nd, 3rd, 4th ..."""
    position = int(number)
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{position}{'th' if position % 100 in {11, 12, 13} else ends.get(position % 10, 'th')}"
