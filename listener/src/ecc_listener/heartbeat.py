"""Signs of life: the health file that the healthcheck reads, and the watchdog that ends a loop that hangs."""

import faulthandler
import logging
from pathlib import Path

from ecc_listener import health
from ecc_listener.clock import Now

_log = logging.getLogger(__name__)

HANGING_S = 180
"""A turn of the loop that takes longer than this will never end."""


class HealthFile:
    """Replaces the health file; a full disk must not end the loop, so a failure is only logged, once."""

    def __init__(self, path: Path) -> None:
        """Write to `path`; nothing is written yet."""
        self._path = path
        self._is_failing = False

    def write(self, values: health.Health) -> None:
        """Replace the file."""
        try:
            health.write(self._path, values)
            self._is_failing = False
        except OSError as error:
            if not self._is_failing:
                _log.error("The health file %s can't be written: %s", error.filename, error.strerror)
            self._is_failing = True

    def remove(self) -> None:
        """Remove the file: the listener has stopped."""
        self._path.unlink(missing_ok=True)


class Watchdog:
    """Lets the interpreter end the process, with a traceback, unless it is reset in time."""

    def __init__(self) -> None:
        """Start with the first tick."""
        self._next_reset_s = 0.0

    def tick(self, now: Now) -> None:
        """Reset it; not at every tick, because each time takes a new thread."""
        if now.steady_s >= self._next_reset_s:
            self._next_reset_s = now.steady_s + HANGING_S / 10
            faulthandler.dump_traceback_later(HANGING_S, exit=True)

    def stop(self) -> None:
        """Switch it off."""
        faulthandler.cancel_dump_traceback_later()
