"""When the database is archived: asked at the start and every 1000 readings, done when nobody is in the file.

Times are seconds of a clock that never steps.
"""

import logging
from contextlib import suppress

from ecc_listener.storage.archive import CHECKED_EVERY, ArchiveWaits
from ecc_listener.storage.connection import StoreError, archive_marker
from ecc_listener.storage.store import Store

_log = logging.getLogger(__name__)

_TRIES = 3
_PAUSE_S = 60.0


class Archiver:
    """Looks after the size of one store's file."""

    def __init__(self, store: Store, max_bytes: int) -> None:
        """Archive the file of `store` when it has `max_bytes`."""
        self._store = store
        self._max_bytes = max_bytes
        self._unchecked = CHECKED_EVERY
        self._tries_left = 0
        self._next_s = 0.0
        self.waits_since_s: float | None = None
        """Since when an archive is wanted and can't be made; None while none is."""
        self.waits_because = ""

    @property
    def is_wanted(self) -> bool:
        """Return whether readers are asked to stay out, which those in this process must do, too."""
        return self._tries_left > 0

    def stored(self, readings: int) -> None:
        """Count what was stored."""
        self._unchecked += readings

    def tick(self, now_s: float) -> None:
        """Do what is due; the caller is between two bursts.

        Raises:
            StoreError: nobody can know how large the file is.

        """
        if self._tries_left:
            self._try(now_s)
        elif now_s >= self._next_s and (self._unchecked >= CHECKED_EVERY or self.waits_since_s is not None):
            self._unchecked = 0
            if self._store.is_full(self._max_bytes):
                # Who reads now is given a second to be done; who comes waits for the marker to go.
                with suppress(OSError):
                    archive_marker(self._store.path).touch()
                self._tries_left = _TRIES
            else:
                self.waits_since_s = None

    def _try(self, now_s: float) -> None:
        self._tries_left -= 1
        try:
            archive = self._store.archive()
        except StoreError as reason:
            # Who reads may be done in a second; a full disk may not.
            if not self._tries_left or not isinstance(reason, ArchiveWaits):
                self._postpone(now_s, str(reason))
            return
        self._tries_left, self.waits_since_s = 0, None
        archive_marker(self._store.path).unlink(missing_ok=True)
        _log.info("The database was full: it is now %s, and a new one has begun", archive.name)

    def _postpone(self, now_s: float, reason: str) -> None:
        self._tries_left = 0
        self._next_s = now_s + _PAUSE_S
        self.waits_because = reason
        archive_marker(self._store.path).unlink(missing_ok=True)
        if self.waits_since_s is None:
            self.waits_since_s = now_s
            _log.warning("The database is full, but its archive waits, and it grows: %s", reason)
