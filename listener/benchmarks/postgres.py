"""The part `postgres` of the benchmark: the listener over PostgreSQL, beside SQLite in the same run."""

import shutil
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psycopg

from bench import CACHE, Figures, broker, cpu_s, fill, note
from ecc_listener.readings.form import decode
from ecc_listener.storage.interface import Burst, Storage
from ecc_listener.storage.postgres.store import PostgresStore
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Store
from support.brokers import OFFICE, Publisher, until
from support.listeners import Listener
from support.postgres import Postgres, query

START_US = 1_770_000_000_000_000
COUNT = "SELECT count(*) FROM reading"


def postgres(figures: Figures, count: int, singles: int) -> None:
    """Measure commits alone, then a full queue and single messages through the whole listener."""
    CACHE.mkdir(exist_ok=True)
    server = Postgres(CACHE, fsync="on", autovacuum="on", shared_buffers="128MB")
    server.start()
    try:
        for size in (1, 200, 2_000):
            commits(figures, server, size, min(count, 500 * size))
        full_queue(figures, server, count)
        single_messages(figures, server, singles)
    finally:
        server.stop()


def commits(figures: Figures, server: Postgres, size: int, count: int) -> None:
    """Commit bursts of one size, in turn to PostgreSQL and SQLite."""
    folder = Path(tempfile.mkdtemp(dir=CACHE))
    stores: dict[str, Storage] = {
        "PostgreSQL": PostgresStore(server.create_database(), "bench", 1_000_000),
        "SQLite": Store(folder / "db.sqlite3", 1_000_000),
    }
    rates = {}
    for name, store in stores.items():
        with closing(store):
            bursts = [_burst(number, size) for number in range(1, count // size + 1)]
            began_s = time.monotonic()
            for burst in bursts:
                store.commit(burst, burst.number - 1)
            rates[name] = count / (time.monotonic() - began_s)
    shutil.rmtree(folder)
    target = ">= 12,000" if size > 1 else ""
    note(figures, f"into PostgreSQL, {size:,} readings a commit", rates["PostgreSQL"], "rows/s", target)
    note(figures, f"  reference: into SQLite, {size:,} readings a commit", rates["SQLite"], "rows/s")


def _burst(number: int, size: int) -> Burst:
    first, reading = number * size, decode(OFFICE)
    return Burst(
        number,
        [
            Arrival(START_US + one * 1_000, reading._replace(sensor_name=f"ECCTH{one % 500:03}"))
            for one in range(first, first + size)
        ],
        [],
        [],
    )


def full_queue(figures: Figures, server: Postgres, count: int) -> None:
    """Take a full queue of the broker into each database."""
    for name in ("PostgreSQL", "SQLite"):
        with broker() as one, tempfile.TemporaryDirectory(dir=CACHE) as folder:
            url = server.create_database()
            to_server = {"database_url": url} if name == "PostgreSQL" else {}
            listener = Listener(Path(folder), one.port, **to_server)
            listener.start()
            listener.stop()
            fill(one.port, count)
            listener.start(connected=False)
            until(lambda: _stored(listener, url, is_server=bool(to_server)) >= count, 300)  # noqa: B023
            assert listener.process
            spent_s = cpu_s(listener.process.pid)
            if to_server:
                first, last = query(url, "SELECT min(time), max(time) FROM reading")[0]
            else:
                times = "SELECT min(recordWrittenUTC), max(recordWrittenUTC) FROM ECCTempHum"
                first, last = listener.query(times)[0]
            listener.stop()
        rate = count / (_seconds(str(last)) - _seconds(str(first)))
        reference = "" if to_server else "  reference: "
        target = ">= 12,000" if to_server else ""
        note(figures, f"{reference}a full queue into {name}", rate, "msg/s", target)
        note(figures, f"  processor time of the listener for one, {name}", 1e6 * spent_s / count, "us")


def _seconds(utc: str) -> float:
    hours, minutes, seconds = utc[11:].split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def _stored(listener: Listener, url: str, *, is_server: bool) -> int:
    if not is_server:
        return listener.count()
    time.sleep(0.2)
    count: int = query(url, COUNT)[0][0]
    return count


def single_messages(figures: Figures, server: Postgres, count: int) -> None:
    """Measure from publish to committed row, one message at a time."""
    with broker() as one, tempfile.TemporaryDirectory(dir=CACHE) as folder:
        url = server.create_database()
        listener = Listener(Path(folder), one.port, database_url=url)
        listener.start()
        spent_ms = []
        with Publisher(one.port) as publisher, psycopg.connect(url, autocommit=True) as reader:
            for number in range(1, count + 1):
                began_s = time.perf_counter()
                publisher.publish(OFFICE, qos=0)
                while reader.execute("SELECT count(*) FROM reading").fetchone() != (number,):
                    time.sleep(0.0001)
                spent_ms.append(1000 * (time.perf_counter() - began_s))
                time.sleep(0.02)
        listener.stop()
    note(figures, "one message to its row in PostgreSQL, median", statistics.median(spent_ms), "ms", "< 5")
    note(figures, "  99th of 100, PostgreSQL", statistics.quantiles(spent_ms, n=100)[98], "ms")
