"""PURE: how the words of notices put numbers, names and times."""

from datetime import tzinfo
from typing import NamedTuple

from ecc_listener.local_time import day_and_time, duration, local
from ecc_listener.notifications.notice import Notice, Words

_MAX_SHOWN = 60
_MAX_NAME = 30
NOTHING_TO_DO = "Nothing needs to be done."

Rows = tuple[tuple[str, str], ...]


class Context(NamedTuple):
    """A notice, told at a time in a zone."""

    notice: Notice
    now_us: int
    zone: tzinfo

    @property
    def who(self) -> str:
        """The place, or else the sensor's name."""
        return clean(self.notice.location or self.notice.subject, _MAX_NAME)

    @property
    def name(self) -> str:
        """The sensor's name."""
        return clean(self.notice.subject, _MAX_NAME)

    @property
    def lasted(self) -> str:
        """How long it has lasted, or did."""
        return duration((self.notice.resolved_us or self.now_us) - self.notice.since_us)

    def number(self, fact: str) -> float | None:
        """Give a fact that is a number; None where it isn't known."""
        value = self.notice.details.get(fact)
        return value if isinstance(value, int | float) else None

    def text(self, fact: str) -> str:
        """Give a fact that is a text, made harmless; empty where it isn't known."""
        value = self.notice.details.get(fact)
        return clean(value, 3 * _MAX_SHOWN) if isinstance(value, str) else ""

    def hour(self, time_us: int) -> str:
        """Say when, for a headline: "14:20" today, otherwise with the day."""
        moment, now = local(time_us, self.zone), local(self.now_us, self.zone)
        return moment.strftime("%H:%M" if moment.date() == now.date() else "%a %-d %b %H:%M")

    def when(self, time_us: int) -> str:
        """Say when, with the zone."""
        return day_and_time(time_us, self.now_us, self.zone)


def clean(text: str, most: int = _MAX_SHOWN) -> str:
    """Keep a text from the network from steering whatever shows it."""
    shown = "".join(one if one.isprintable() else "?" for one in text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def temperature(value_f: float) -> str:
    """Give a temperature in both units."""
    return f"{value_f:.1f} °F ({(value_f - 32) / 1.8:.1f} °C)"


def difference(value_f: float) -> str:
    """Give a difference of temperatures in both units."""
    return f"{value_f:.1f} °F ({value_f / 1.8:.1f} °C)"


def size(value_bytes: float) -> str:
    """Give a size as people say it."""
    return f"{value_bytes / 1e9:.1f} GB" if value_bytes >= 1e9 else f"{value_bytes / 1e6:.0f} MB"  # noqa: PLR2004


def last_reading(scene: Context) -> Rows:
    """Give the rows of what a sensor measured last, as far as it is known."""
    temperature_f, humidity = scene.number("temperature_f"), scene.number("humidity_percent")
    percent, volts = scene.number("battery_percent"), scene.number("battery_v")
    rssi = scene.number("rssi_dbm")
    rows = [("Sensor", scene.name)] if scene.notice.location else []
    if temperature_f is not None and humidity is not None:
        rows.append(("Last reading", f"{temperature(temperature_f)}, {humidity:.0f} % humidity"))
    if percent is not None and volts is not None:
        rows.append(("Battery", f"{percent:.0f} % ({volts:.2f} V)"))
    if rssi is not None:
        rows.append(("Signal", signal(rssi)))
    return tuple(rows)


def signal(rssi_dbm: float) -> str:
    """Give a signal with what it means; boards that can't tell send a positive number."""
    if rssi_dbm >= 0:
        return "unknown"
    meaning = "good" if rssi_dbm > -75 else "fair" if rssi_dbm > -85 else "weak"  # noqa: PLR2004 - usual steps
    return f"{rssi_dbm:.0f} dBm ({meaning})"


def counted(number: float, unit: str) -> str:
    """Give "1 day", "2 days"."""
    whole = round(number)
    return f"{whole:,} {unit}" if whole == 1 else f"{whole:,} {unit}s"


def ordinal(number: float) -> str:
    """Give 1st, 2nd, 3rd, 4th ..."""
    whole = int(number)
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{whole}{'th' if whole % 100 in {11, 12, 13} else ends.get(whole % 10, 'th')}"


def words(headline: str, cause: str | None, advice: str, details: Rows = ()) -> Words:
    """Make words."""
    return Words(headline, cause, advice, details)
