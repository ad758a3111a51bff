"""Years of an installation in minutes: every reading goes through the real store, archiver and log."""

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ecc_listener.logs import LineFormatter, LogFile
from ecc_listener.mqtt.deliveries import packet
from ecc_listener.readings.form import decode
from ecc_listener.storage.archiver import Archiver
from ecc_listener.storage.connection import utc_us
from ecc_listener.storage.database_files import archives
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from support.brokers import OFFICE

START_US = utc_us("2026-01-01 00:00:00")
EVERY_US = 600 * 1_000_000
DAY_US = 86_400 * 1_000_000
ROUNDS_IN_A_BURST = 20
READINGS_TO_A_LINE = 10


class Limits(NamedTuple):
    """The settings that keep the disk from filling."""

    database_bytes: int
    log_bytes: int
    log_archives: int


class Block(NamedTuple):
    """What was measured at the end of a period."""

    readings: int
    us_per_reading: float
    """Processor time, which does not depend on other work on the machine."""
    memory_mb: float
    live_bytes: int
    wal_bytes: int
    archives: int
    logs: int
    logs_bytes: int


class Years:
    """An installation in its own folder; each sensor has a reading every ten minutes."""

    def __init__(self, folder: Path, sensors: int, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self.database = folder / "ECCTempHum.sqlite3"
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.readings = 0
        self.bursts = 0
        self.max_wal_bytes = 0
        self._log = LogFile(self.logs / "log", limits.log_bytes, limits.log_archives)
        self._log.setFormatter(LineFormatter())
        self._store = Store(self.database, 1_000_000)
        self._archiver = Archiver(self._store, limits.database_bytes)
        # Values that vary as in a room. They are decoded once, because decoding does not slow down over time.
        self._rooms = [
            [
                decode(
                    OFFICE.replace(b"ECCTH01", b"ECCTH%02d" % (number + 1))
                    .replace(b"73.45", b"%.2f" % (60 + number / 5 + step / 7))
                    .replace(b"39.17", b"%.2f" % (35 + step / 3))
                )
                for step in range(36)
            ]
            for number in range(sensors)
        ]

    def run(self, days: int, blocks: int) -> Iterator[Block]:
        """Let days pass; yield what is measured after each of `blocks` equal periods."""
        rounds = days * DAY_US // EVERY_US
        at, began, spent_s = 0, self.readings, 0.0
        for block in range(1, blocks + 1):
            while at < rounds * block // blocks:
                until = min(at + ROUNDS_IN_A_BURST, rounds * block // blocks)
                burst = self._burst(at, until)
                began_s = time.process_time()
                self._store_and_log(burst)
                spent_s += time.process_time() - began_s
                at = until
            yield self._measure(1e6 * spent_s / (self.readings - began))
            began, spent_s = self.readings, 0.0

    def close(self) -> None:
        """Close everything, as the listener does."""
        self._store.close()
        self._log.archives.wait(60)
        self._log.close()

    def files(self) -> list[Path]:
        """Return all database files, the live one last."""
        return [*archives(self.database), self.database]

    def rows(self) -> int:
        """Return the number of rows in all files; each must be intact and complete in itself."""
        total = 0
        for path in self.files():
            assert not Path(f"{path}-wal").exists()
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                total += connection.execute("SELECT count(*) FROM ECCTempHum").fetchone()[0]
        return total

    def _burst(self, start: int, end: int) -> Burst:
        arrivals = [
            Arrival(START_US + at * EVERY_US + 10_000 * location, room[at % len(room)])
            for at in range(start, end)
            for location, room in enumerate(self._rooms)
        ]
        packets = [packet(number % 65_535 + 1, "ECCTempHum", b"x") for number in range(len(arrivals))]
        self.bursts += 1
        return Burst(self.bursts, arrivals, [], packets)

    def _store_and_log(self, burst: Burst) -> None:
        self._store.commit(burst, burst.number - 1)
        for arrived_us, reading in burst.readings[::READINGS_TO_A_LINE]:
            text = f"Stored from ECCTempHum: {reading} at {arrived_us}"
            self._log.emit(logging.LogRecord("years", logging.DEBUG, "", 0, text, None, None))
        self.readings += len(burst.readings)
        self._archiver.stored(len(burst.readings))
        wal = Path(f"{self.database}-wal")
        self.max_wal_bytes = max(self.max_wal_bytes, wal.stat().st_size)
        self._archiver.tick(time.monotonic())
        while self._archiver.is_wanted:
            self._archiver.tick(time.monotonic())

    def _measure(self, us_per_reading: float) -> Block:
        status = Path("/proc/self/statm").read_text().split()
        logs = list(self.logs.iterdir())
        wal = Path(f"{self.database}-wal")
        return Block(
            self.readings,
            us_per_reading,
            int(status[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6,
            self.database.stat().st_size,
            wal.stat().st_size if wal.exists() else 0,
            len(archives(self.database)),
            len(logs),
            sum(path.stat().st_size for path in logs),
        )
