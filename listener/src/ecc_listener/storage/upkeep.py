"""The upkeep of rejected messages: decoding them again on request, and dropping old ones."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from ecc_listener.clock import Now
from ecc_listener.readings.reading import Reading
from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.interface import Storage

_log = logging.getLogger(__name__)

_DAY_US = 24 * 3600 * 1_000_000


class RejectedUpkeep:
    """Does what `ecc-listener replay` asks for, and once a day drops rejected messages that are too old."""

    def __init__(
        self,
        store: Storage,
        request: Path,
        decode: Callable[[str, bytes], Sequence[Reading]],
        max_days: int,
    ) -> None:
        """Keep rejected messages for `max_days`; `request` is the file that asks for a replay."""
        self._store = store
        self._decode = decode
        self._max_age_us = max_days * _DAY_US
        self._request = request
        self._next_drop_us = 0

    def tick(self, now: Now) -> None:
        """Do what is due; what fails is tried again."""
        try:
            if self._request.exists():
                decoded, remaining = self._store.replay(self._decode, now.wall_us)
                _log.info(
                    "Decoded rejected messages again: %d are readings now, %d are not", decoded, remaining
                )
                self._request.unlink(missing_ok=True)
            if now.steady_us >= self._next_drop_us:
                self._next_drop_us = now.steady_us + _DAY_US
                self._store.drop_rejected(now.wall_us - self._max_age_us)
        except (StoreError, OSError) as error:
            _log.warning("The upkeep of rejected messages has to wait: %s", error)
