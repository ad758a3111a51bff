"""The part `page` of the benchmark: how quick and small the page is, beside Datasette on the same file."""

import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from bench import CACHE, Figures, listener_latency, many_readings, note, process_status
from ecc_listener.health import Health, utc_iso, write
from ecc_listener.history.rollup_writer import RollupWriter
from ecc_listener.readings.reading import Reading
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from support.brokers import free_port, until

_SLOT_S, _YEAR_S = 600, 365 * 86_400
_SENSORS = 50
_RATE = 100


def page(figures: Figures, slots: int) -> None:
    """Measure rooms and history over ten years of 50 sensors, and what the page does to the listener."""
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        database = folder / "ECCTempHum.sqlite3"
        rows = many_readings(database, slots, int(time.time()) - slots * _SLOT_S)
        rollup_writer = RollupWriter(database)
        while rollup_writer.step():
            pass
        rollup_writer.close()
        with _served(folder) as (port, pid):
            _rooms(figures, port, pid, database, folder)
            ours_s = _year(figures, port, rows)
            _month(figures, port, rows)
            note(
                figures,
                "memory of the page after all that",
                process_status(pid, "VmRSS") / 1000,
                "MB",
                "< 60",
            )
        _datasette(figures, database, ours_s)
    _beside_the_listener(figures)


def _rooms(figures: Figures, port: int, pid: int, database: Path, folder: Path) -> None:
    note(figures, "memory of the page at its start", process_status(pid, "VmRSS") / 1000, "MB", "< 60")
    size = sum(len(_get(port, path)) for path in ("/", *_assets(port)))
    note(figures, "first page with 50 sensors, all of it, as sent", size / 1000, "kB", "< 100")
    spent_ms = [_ms(lambda: _get(port, "/")) for _ in range(200)]
    note(figures, "first page with 50 sensors, nothing new", statistics.median(spent_ms), "ms", "< 20")
    store, spent_ms = Store(database, 1_000_000), []
    for number in range(30):
        now_us = time.time_ns() // 1000
        _well(folder, now_us)
        arrivals = [
            Arrival(
                now_us,
                Reading(47.1, 70.0 + number, 39.0, 3.4, 90.0, -67, f"ECCTH{one:02d}", None, None, None),
            )
            for one in range(_SENSORS)
        ]
        store.commit(Burst(number + 1, arrivals, [], []), number)
        time.sleep(0.6)
        spent_ms.append(_ms(lambda: _get(port, "/")))
    store.close()
    note(figures, "first page with 50 sensors, all of them new", statistics.median(spent_ms), "ms", "< 20")
    note(figures, "requests a second on one core", _requests_per_s(port, pid), "/s", "at least 100")


def _year(figures: Figures, port: int, rows: int) -> float:
    end_s = int(time.time())
    span = {"start": _iso(end_s - _YEAR_S), "end": _iso(end_s)}
    path = f"/api/history?{urlencode({'sensor': 'ECCTH00', **span})}"
    spent_s = [_ms(lambda: _get(port, path)) / 1000 for _ in range(10)]
    told = f"a year of one sensor out of {rows:,} rows, as JSON"
    note(figures, told, 1000 * statistics.median(spent_s), "ms", "< 50")
    return statistics.median(spent_s)


def _month(figures: Figures, port: int, rows: int) -> None:
    """Measure the page of the last month that is over, with all 50 sensors."""
    first = datetime.now().astimezone().replace(day=1) - timedelta(days=1)
    spent_ms = [_ms(lambda: _get(port, f"/month?month={first:%Y-%m}")) for _ in range(10)]
    told = f"a month of 50 sensors out of {rows:,} rows, as a page"
    note(figures, told, statistics.median(spent_ms), "ms", "< 500")


def _datasette(figures: Figures, database: Path, ours_s: float) -> None:
    """Let Datasette answer the same: each reading as JSON, and the hours' lowest, mean and highest."""
    port = free_port()
    command = [sys.executable, "-m", "datasette", "serve", str(database), "--port", str(port)]
    command += ["--setting", "max_returned_rows", "100000", "--setting", "sql_time_limit_ms", "60000"]
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - _YEAR_S))
    where = "FROM ECCTempHum WHERE sensorName = 'ECCTH00' AND recordWrittenUTC >= :since"
    measured = ("temperatureF", "relHumidityPercent", "dewPointF")
    bands = ", ".join(f"min({one}), avg({one}), max({one})" for one in measured)
    queries = {
        "every reading": f"SELECT recordWrittenUTC, {', '.join(measured)} {where}",
        "by six hours": f"SELECT unixepoch(recordWrittenUTC) / 21600 AS step, {bands} {where} GROUP BY step",
    }
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: _answers(port), 60)
            for what, sql in queries.items():
                path = f"/{database.stem}.json?{urlencode({'sql': sql, 'since': since, '_shape': 'arrays'})}"
                spent_s = [_ms(lambda path=path: _get(port, path)) / 1000 for _ in range(5)]  # type: ignore[misc]
                median_s = statistics.median(spent_s)
                note(figures, f"reference: Datasette, the same year, {what}", 1000 * median_s, "ms")
                note(figures, f"  times ours, {what}", median_s / ours_s, "x")
            note(figures, "reference: memory of Datasette", process_status(process.pid, "VmRSS") / 1000, "MB")
        finally:
            process.terminate()


def _beside_the_listener(figures: Figures) -> None:
    """Ask the page 100 times a second while messages are stored, and measure how long those take."""
    for what, rate in (("", 0), (f", while the page answers {_RATE} requests a second", _RATE)):

        @contextmanager
        def asked(folder: Path, rate: int = rate) -> Iterator[None]:
            with _served(folder) as (port, _), _load(port, rate):
                yield

        spent_ms = statistics.median(listener_latency(300, asked))
        note(figures, f"publish to committed row{what}, median", spent_ms, "ms")


@contextmanager
def _served(folder: Path) -> Iterator[tuple[int, int]]:
    """Serve the page of a folder; give port and process id."""
    port = free_port()
    paths = {
        "database_file_path": folder / "ECCTempHum.sqlite3",
        "health_file_path": folder / "health.json",
        "web_credentials_file_path": folder / "none",
        "web_port": port,
    }
    flags = [f"--{name}={value}" for name, value in paths.items()]
    command = [sys.executable, "-m", "ecc_listener", "web", *flags]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: _answers(port), 30)
            yield port, process.pid
        finally:
            process.terminate()


@contextmanager
def _load(port: int, rate: int) -> Iterator[None]:
    """Ask for the rooms so many times a second."""
    ended = threading.Event()

    def ask() -> None:
        connection, next_s = http.client.HTTPConnection("127.0.0.1", port), time.monotonic()
        while rate and not ended.is_set():
            connection.request("GET", "/")
            connection.getresponse().read()
            next_s += 1 / rate
            time.sleep(max(0.0, next_s - time.monotonic()))
        connection.close()

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield
    finally:
        ended.set()
        asker.join()


def _requests_per_s(port: int, pid: int) -> float:
    """Ask as fast as one core of the page's answers, from another core."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores[:1])
        os.sched_setaffinity(0, cores[1:])
    connection, count, began_s = http.client.HTTPConnection("127.0.0.1", port), 0, time.monotonic()
    while time.monotonic() - began_s < 5:
        connection.request("GET", "/", headers={"Accept-Encoding": "gzip"})
        connection.getresponse().read()
        count += 1
    connection.close()
    os.sched_setaffinity(0, cores)
    return count / (time.monotonic() - began_s)


def _well(folder: Path, now_us: int) -> None:
    written = utc_iso(now_us)
    write(folder / "health.json", Health(written, written, 1200.0, 1, written, "ECCTH00", None))


def _assets(port: int) -> list[str]:
    """Give what the first page loads."""
    words = _get(port, "/", "identity").decode().split('"')
    return sorted({word for word in words if word.startswith("/static/")} | {"/static/ago.js"})


def _get(port: int, path: str, encoding: str = "gzip") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path, headers={"Accept-Encoding": encoding})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, (answer.status, body[:500])
    return body


def _answers(port: int) -> bool:
    try:
        return bool(_get(port, "/"))
    except OSError:
        return False


def _iso(time_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))


def _ms(act: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began_s)
