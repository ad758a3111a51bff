"""The limits file on the disk: made with its explanations where there is none, read again when it changes."""

import logging
from contextlib import suppress
from pathlib import Path

from ecc_listener.monitoring.limits import LimitsFile

_log = logging.getLogger(__name__)

_MAX_BYTES = 1_000_000

EXAMPLE = """\
# Limits of rooms and sensors: a mail comes when one is passed, and when it is over.
#
# This file is read again within a minute after you have saved it; nothing has to be restarted.
# A line with # in front does nothing. As it was made, this file watches no room: only battery,
# signal and the sensors themselves.
#
# Lines below [everywhere] are for all sensors. A place in brackets, as the sensors send it, is for that
# room, and a sensor's name for that sensor alone; they win over [everywhere], the sensor over its place.
# Temperatures are in °F, or in °C when you write so. "for 2 h" says how long it must last until it counts
# (min, h or d). "off" takes a limit away again.
#
#   too cold, too hot    a temperature; over when it is 2 °F on the right side again, for half an hour
#   too damp, too dry    relative humidity in %; over when it is 3 % on the right side again, likewise
#   damp risk            hours above a humidity, for mould on vestments, books and the organ: hours above it
#                        count up, hours below it count down; over when half of them are gone
#   near dew point       so near is the air to its dew point that cold walls and windows get wet
#   battery low          in %; over with a new battery
#   weak signal          in dBm, as a mean of some hours
#   frozen               exactly the same values for so long
#   jumps                yes or off: values that no room can have, again and again
#   silent               by itself after three of the sensor's own intervals; or "2 h" to say it, or "off"
#   watch                "no": nothing at all is told of that sensor, such as one that is taken away

[everywhere]
battery low = 20 %
weak signal = -85 dBm
frozen = 6 h
#too cold = 35 °F for 2 h
#too damp = 85 % for 12 h

#[Organ loft]
#too dry = 40 % for 6 h
#too damp = 70 % for 12 h

#[Library]
#damp risk = 65 % for 48 h
#near dew point = 5 °F for 3 h

#[ECCTH07]
#watch = no
"""


class WatchedFile:
    """One limits file; `limits` is what it said last."""

    def __init__(self, path: Path) -> None:
        """Read it, or make it."""
        self.path = path
        self.limits = LimitsFile(EXAMPLE)
        self.problems: tuple[str, ...] = ()
        self._seen: tuple[int, int, int] | None = None
        if not path.exists():
            with suppress(OSError):
                path.write_text(EXAMPLE, encoding="utf-8")
        self.look()

    def look(self) -> bool:
        """Read it again if it has changed; say whether."""
        try:
            status = self.path.stat()
            # The change of its permissions counts: who mends them has it read again.
            seen = status.st_mtime_ns, status.st_ctime_ns, status.st_size
            if seen == self._seen:
                return False
            self._seen = seen
            with self.path.open("rb") as file:
                text = file.read(_MAX_BYTES).decode("utf-8-sig")
            self.limits = LimitsFile(text)
            self.problems = tuple(self.limits.problems)
        except FileNotFoundError:
            return self._fall_back()
        except (OSError, UnicodeDecodeError) as error:
            # What it said last goes on to count.
            self.problems = (f"it can't be read: {getattr(error, 'strerror', None) or error}",)
        for problem in self.problems:
            _log.error("In %s: %s", self.path, problem)
        return True

    def _fall_back(self) -> bool:
        changed = self._seen is not None
        self._seen, self.problems = None, ()
        if changed:
            self.limits = LimitsFile(EXAMPLE)
        return changed
