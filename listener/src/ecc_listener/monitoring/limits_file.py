"""The limits file on disk: created with explanations if there is none, and read again when it changes."""

import logging
from contextlib import suppress
from pathlib import Path

from ecc_listener.monitoring.limits import SensorLimits
from ecc_listener.monitoring.mutes import mutes_path, read_mutes

_log = logging.getLogger(__name__)

_MAX_BYTES = 1_000_000

EXAMPLE = """\
# Limits for rooms and sensors: you get a mail when one is exceeded, and when that is resolved.
#
# This file is read again within a minute after you save it; nothing has to be restarted.
# A line that begins with # has no effect. As delivered, this file monitors only batteries, signals and
# the sensors themselves, but no room.
#
# Lines below [everywhere] apply to all sensors. A location in brackets, as the sensors send it, applies to
# that room, and a sensor's name to that sensor only. A sensor's lines override those of its location,
# which override [everywhere]. Temperatures are in °F, or in °C if you write so. "for 2 h" says how long a
# value must last before it counts (min, h or d). "off" removes a limit. A limit may apply at times only; what
# stands before it on the line applies at all other times.
#
#   too cold, too hot    a temperature; resolved 2 °F beyond the limit for half an hour
#   too damp, too dry    relative humidity in %; resolved 3 % beyond the limit for half an hour
#   damp risk            hours above a humidity, for mould on vestments, books and the organ: damp hours
#                        count up, dry hours count down; resolved when half of them are gone
#   near dew point       how close the air may come to its dew point, where cold walls and windows get wet
#   battery low          in %; resolved with a new battery
#   weak signal          in dBm, as a mean over some hours
#   frozen               how long exactly the same values are accepted
#   jumps                yes or off: repeated changes that are impossible in a room
#   silent               three of the sensor's own intervals unless you set a time, such as "2 h", or "off"
#   watch                "no" ignores a sensor completely, for example one that was removed
#   name FIELD           shows a further number that a sensor sends, under a name and with a unit
#   above, below FIELD   a limit of such a number; resolved 5 % on the other side of it for half an hour
#   offset QUANTITY      is added to the temperature, dew point, humidity or FIELD of one sensor, wherever it
#                        is shown and judged; what is stored stays as it was sent
#   was                  the former name of a sensor that was renamed: its readings belong to this one now

[everywhere]
battery low = 20 %
weak signal = -85 dBm
frozen = 6 h
#too cold = 35 °F for 2 h
#too damp = 85 % for 12 h

#[Organ loft]
#too dry = 40 % for 6 h
#too damp = 70 % for 12 h

#[Nave]
#too cold = 45 °F; 60 °F for 30 min on Sun 08:00-13:00

#[Library]
#damp risk = 65 % for 48 h
#near dew point = 5 °F for 3 h

#[ECCTH07]
#watch = no

#[ECCTH08]
#name field11 = Pressure, hPa
#below field11 = 980 for 2 h
#above co2_ppm = 1200 for 30 min

#[Kitchen sensor]
#was = ECCTH09
#offset temperature = -1.5 °F
#offset humidity = 3 %
"""


def read_limits(path: Path) -> SensorLimits:
    """Return what a limits file says now, without mutes; as delivered if there is none that can be read."""
    try:
        return SensorLimits(_text(path))
    except (OSError, ValueError):
        return SensorLimits(EXAMPLE)


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES).decode("utf-8-sig")


class LimitsFile:
    """One limits file; `limits` is its newest valid content."""

    def __init__(self, path: Path, *, is_created: bool = True) -> None:
        """Read the file; if there is none, create it or go on as if it were as delivered."""
        self.path = path
        self.limits = SensorLimits(EXAMPLE)
        self.problems: tuple[str, ...] = ()
        self._seen: tuple[int, int, int] | None = None
        self._mutes_seen: int | None = None
        if is_created and not path.exists():
            with suppress(OSError):
                path.write_text(EXAMPLE, encoding="utf-8")
        self.reload()

    def reload(self) -> bool:
        """Read the files again if they have changed; return whether one has."""
        is_other = self._reload_limits()
        return self._reload_mutes() or is_other

    def _reload_mutes(self) -> bool:
        path = mutes_path(self.path)
        try:
            seen = path.stat().st_mtime_ns if path.exists() else None
            if seen == self._mutes_seen:
                return False
            self._mutes_seen = seen
            self.limits.mutes = read_mutes(path)
        except (OSError, ValueError) as error:
            _log.error("%s can't be read, so nothing is muted: %s", path, error)
            self.limits.mutes = {}
        return True

    def _reload_limits(self) -> bool:
        try:
            status = self.path.stat()
            # A change of its permissions counts as well: if they were fixed, the file is read again.
            seen = status.st_mtime_ns, status.st_ctime_ns, status.st_size
            if seen == self._seen:
                return False
            self._seen = seen
            self.limits = SensorLimits(_text(self.path), self.limits)
            self.problems = tuple(self.limits.problems)
        except FileNotFoundError:
            return self._fall_back()
        except (OSError, UnicodeDecodeError) as error:
            # Its previous content stays in effect.
            self.problems = (f"it can't be read: {getattr(error, 'strerror', None) or error}",)
        for problem in self.problems:
            _log.error("In %s: %s", self.path, problem)
        return True

    def _fall_back(self) -> bool:
        changed = self._seen is not None
        self._seen, self.problems = None, ()
        if changed:
            self.limits = SensorLimits(EXAMPLE, self.limits)
        return changed
