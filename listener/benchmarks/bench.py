"""`make bench`: how fast, how small, how quiet; each figure beside a reference measured in the same run.

Prints a table and keeps it as JSON. The broker is the stack's own, Mosquitto 2.1 with the project's
configuration, on a real disk.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sized
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests")]

from ecc_listener.backup.create import newest_backup_time  # noqa: E402
from ecc_listener.backup.schedule import DailyBackup  # noqa: E402
from ecc_listener.clock import Now  # noqa: E402
from ecc_listener.history.query import History  # noqa: E402
from ecc_listener.history.rollup_writer import RollupWriter  # noqa: E402
from ecc_listener.history.rollups import rollup_path  # noqa: E402
from ecc_listener.monitoring.monitor import Faults, Monitor  # noqa: E402
from ecc_listener.readings.form import decode  # noqa: E402
from ecc_listener.readings.formats import Decoder  # noqa: E402
from ecc_listener.readings.reading import Reading  # noqa: E402
from ecc_listener.settings import load  # noqa: E402
from ecc_listener.simulator.formats import FORMATS, messages  # noqa: E402
from ecc_listener.storage.connection import utc_us  # noqa: E402
from ecc_listener.storage.quarantine import Arrival  # noqa: E402
from ecc_listener.storage.store import Burst, Store  # noqa: E402
from support.brokers import OFFICE, PASSWORD, USERNAME, Mosquitto21, Publisher, until  # noqa: E402
from support.listeners import Listener  # noqa: E402
from support.years import Limits, Years  # noqa: E402

RESULTS = HERE / "results.json"
CACHE = HERE.parents[1] / ".cache"
SECOND_US = 1_000_000
Figures = dict[str, dict[str, float | str]]


def note(figures: Figures, what: str, value: float, unit: str, target: str = "") -> None:
    """Keep a figure and print it at once, so that a long run shows progress."""
    figures[what] = {"value": round(value, 4), "unit": unit, "target": target}
    print(f"{what:<66} {value:>12,.2f} {unit:<10} {target}", flush=True)


@contextmanager
def broker() -> Iterator[Mosquitto21]:
    """Lend the stack's broker."""
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=CACHE))
    made = Mosquitto21(folder)
    made.start()
    try:
        yield made
    finally:
        made.remove()
        shutil.rmtree(folder)


def paho(port: int, name: str) -> mqtt.Client:
    """Make a client with a persistent session."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
    client.username_pw_set(USERNAME, PASSWORD)
    client.connect("127.0.0.1", port)
    return client


def remember(port: int, name: str) -> None:
    """Let the broker queue for a client that is away."""
    client = paho(port, name)
    client.loop_start()
    until(client.is_connected)
    client.subscribe("ECCTempHum", 1)
    time.sleep(0.5)
    client.disconnect()
    client.loop_stop()


def fill(port: int, count: int) -> None:
    """Publish readings of 20 sensors."""
    with Publisher(port) as publisher:
        for number in range(count):
            publisher.publish(OFFICE.replace(b"ECCTH01", b"ECCTH%02d" % (number % 20)))
            publisher.limit(5_000)


def queue(figures: Figures, count: int) -> None:
    """Take a full queue: the listener, and those who store nothing."""
    with broker() as one, tempfile.TemporaryDirectory(dir=CACHE) as folder:
        listener = Listener(Path(folder), one.port)
        listener.start()
        listener.stop()
        for name in ("sub", "paho"):
            remember(one.port, name)
        fill(one.port, count)

        listener.start(connected=False)
        until(lambda: listener.count() >= count, 300)
        listener.stop()
        first, last = listener.query("SELECT min(recordWrittenUTC), max(recordWrittenUTC) FROM ECCTempHum")[0]
        spent = datetime.fromisoformat(str(last)) - datetime.fromisoformat(str(first))
        stored = count / spent.total_seconds()

        began_s = time.monotonic()
        words = ["-p", str(one.port), "-u", USERNAME, "-P", PASSWORD, "-t", "ECCTempHum", "-C", str(count)]
        subprocess.run(
            ["mosquitto_sub", *words, "-c", "-q", "1", "-i", "sub"], check=True, stdout=subprocess.DEVNULL
        )
        sub = count / (time.monotonic() - began_s)

        seen = 0

        def on_message(client: mqtt.Client, _userdata: object, _message: mqtt.MQTTMessage) -> None:
            nonlocal seen
            seen += 1
            if seen == count:
                client.disconnect()

        client = paho(one.port, "paho")
        client.on_message = on_message
        began_s = time.monotonic()
        client.loop_forever()
        plain = count / (time.monotonic() - began_s)
    original = original_write_path(2_000)
    note(figures, "stored, QoS 1, acknowledged after commit, from a full queue", stored, "msg/s", ">= 25,000")
    note(figures, "  reference: the original's write path", original, "msg/s")
    note(figures, "  times the original's", stored / original, "x", ">= 25")
    note(figures, "  reference: mosquitto_sub -c -q 1, nothing stored", sub, "msg/s")
    note(figures, "  share of mosquitto_sub's", stored / sub, "", ">= 0.25")
    note(figures, "  reference: paho loop_forever, nothing stored", plain, "msg/s")


def tls(figures: Figures, count: int) -> None:
    """Take the same full queue with TLS and without, in turn."""
    CACHE.mkdir(exist_ok=True)
    rates: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        one = Mosquitto21(Path(folder) / "broker")
        secured = one.add_tls()
        one.start()
        try:
            for turn in range(6):
                is_tls = turn % 2 == 1
                where = Path(folder) / f"listener{turn}"
                listener = Listener(where, one.port, **(secured if is_tls else {}))
                listener.start()
                listener.stop()
                fill(one.port, count)
                listener.start(connected=False)
                listener.wait_for(count, 300)
                listener.stop()
                ends = "min(recordWrittenUTC), max(recordWrittenUTC)"
                first, last = listener.query(f"SELECT {ends} FROM ECCTempHum")[0]
                spent = datetime.fromisoformat(str(last)) - datetime.fromisoformat(str(first))
                rates[is_tls].append(count / spent.total_seconds())
        finally:
            one.remove()
    plain, secure = (statistics.median(rates[is_tls]) for is_tls in (False, True))
    note(figures, "stored from a full queue over TLS, median of three", secure, "msg/s")
    note(figures, "  reference: the same queue without TLS", plain, "msg/s")
    note(figures, "  share of the rate without TLS", secure / plain, "", ">= 0.8")


def original_write_path(count: int) -> float:
    """Write as the original did: for each message a connection, a look-up, an insert, a commit."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        path = Path(folder) / "original.sqlite3"
        Store(path, 1_000_000).close()
        sqlite3.connect(path).execute("PRAGMA journal_mode = DELETE").connection.close()
        began_s = time.monotonic()
        for number in range(count):
            fields = [pair.split("=", 1)[1] for pair in OFFICE.decode().split("&")]
            with closing(sqlite3.connect(path)) as connection:
                look_up = "SELECT * FROM ECCTempHumSensor WHERE sensorName = ? ORDER BY recordWrittenUTC DESC"
                connection.execute(look_up, (fields[6],)).fetchone()
                row = (f"2026-01-01 00:00:00.{number:06d}", *fields[:7])
                connection.execute("INSERT INTO ECCTempHum VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
                connection.commit()
        return count / (time.monotonic() - began_s)


def latency(figures: Figures, count: int) -> None:
    """Measure from publish to committed row, one message at a time, on an idle system."""
    spent_ms = listener_latency(count, lambda _folder: nullcontext())
    note(figures, "one message, publish to committed row, median", statistics.median(spent_ms), "ms", "< 3")
    note(figures, "  99th of 100", statistics.quantiles(spent_ms, n=100)[98], "ms")


def listener_latency(count: int, meanwhile: Callable[[Path], AbstractContextManager[None]]) -> list[float]:
    """Give milliseconds from publish to committed row, while something goes on in the listener's folder."""
    with broker() as one, tempfile.TemporaryDirectory(dir=CACHE) as folder:
        listener = Listener(Path(folder), one.port)
        listener.start()
        spent_ms = []
        with (
            meanwhile(Path(folder)),
            Publisher(one.port) as publisher,
            closing(sqlite3.connect(listener.database)) as reader,
        ):
            for number in range(1, count + 1):
                began_s = time.perf_counter()
                publisher.publish(OFFICE, qos=0)
                while reader.execute("SELECT max(rowid) FROM ECCTempHum").fetchone()[0] != number:
                    time.sleep(0.0001)
                spent_ms.append(1000 * (time.perf_counter() - began_s))
                time.sleep(0.02)
        listener.stop()
    return spent_ms


def memory(figures: Figures, count: int) -> None:
    """Watch the listener's memory while very many messages pass."""
    with broker() as one, tempfile.TemporaryDirectory(dir=CACHE) as folder:
        listener = Listener(Path(folder), one.port)
        listener.start()
        assert listener.process
        pid, tenth = listener.process.pid, count // 10
        fill(one.port, tenth)
        until(lambda: listener.count() >= tenth, 600)
        early = process_status(pid, "VmRSS")
        fill(one.port, count - tenth)
        until(lambda: listener.count() >= count, 600)
        note(figures, f"memory after {tenth:,} messages", early / 1000, "MB")
        note(
            figures,
            f"memory after {count:,} messages",
            process_status(pid, "VmRSS") / 1000,
            "MB",
            "< 60, flat",
        )
        listener.stop()


def idle(figures: Figures, seconds: int) -> None:
    """Watch an ordinary installation: 20 sensors, a message each in 10 minutes, so one in 30 s."""
    with (
        broker() as one,
        tempfile.TemporaryDirectory(dir=CACHE) as folder,
        # Where the stack has the health file, too.
        tempfile.TemporaryDirectory(dir="/dev/shm") as memory,
    ):
        listener = Listener(Path(folder), one.port, health_file_path=Path(memory) / "health.json")
        listener.start()
        assert listener.process
        pid = listener.process.pid
        time.sleep(3)
        before = cpu_s(pid), process_status(pid, "voluntary_ctxt_switches"), _written(pid)
        for _ in range(seconds // 30):
            one.publish(OFFICE, qos=0)
            time.sleep(30)
        after = cpu_s(pid), process_status(pid, "voluntary_ctxt_switches"), _written(pid)
        listener.stop()
    used_s, wake_ups, written = (late - early for early, late in zip(before, after, strict=True))
    note(figures, "20 sensors: CPU a day", used_s * 86_400 / seconds, "s")
    note(figures, "20 sensors: wake-ups a minute, all threads", wake_ups * 60 / seconds, "")
    note(figures, "20 sensors: written to disk a day", written * 86_400 / seconds / 1e6, "MB")
    check_s = min(_processor_s([sys.executable, "-m", "ecc_listener", "healthcheck"]) for _ in range(5))
    note(figures, "the healthcheck, processor time", check_s, "s", "< 0.05")


def flat(figures: Figures, sizes: list[int]) -> None:
    """Write to a table that has many rows already."""
    reading = decode(OFFICE)
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            store = Store(Path(folder) / "db", 1_000_000)
            store.close()
            with closing(sqlite3.connect(store.path, isolation_level=None)) as bulk:
                bulk.execute("PRAGMA synchronous = OFF")
                bulk.execute("BEGIN")
                bulk.execute(
                    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)"
                    " INSERT INTO ECCTempHum SELECT"
                    " strftime('%Y-%m-%d %H:%M:%S.000000', i / 50 * 600, 'unixepoch'),"
                    " 47, 70, 40, 3.4, 90, -67, printf('ECCTH%02d', i % 50) FROM n WHERE ?",
                    (max(size, 1), size),
                )
                bulk.execute("COMMIT")
            _let_settle(store.path)
            store = Store(store.path, 1_000_000)
            now_us, rows = time.time_ns() // 1000, 0
            began_s, cpu_began_s = time.monotonic(), time.process_time()
            for number in range(1, 101):
                arrivals = [
                    Arrival(now_us + rows + index, reading._replace(sensor_name=f"ECCTH{index % 50:02d}"))
                    for index in range(2_000)
                ]
                store.commit(Burst(number, arrivals, [], []), number - 1)
                rows += len(arrivals)
            spent_s, used_s = time.monotonic() - began_s, time.process_time() - cpu_began_s
            what = f"rows stored, with {size:,} there already"
            note(figures, what, rows / spent_s, "rows/s")
            note(figures, f"{what}, a second of processor", rows / used_s, "rows/s")
            store.close()


def _let_settle(path: Path) -> None:
    """Let the disk be done with what filled the file, which the first syncs would wait for otherwise."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    time.sleep(10)


def history(figures: Figures, slots: int) -> None:
    """Draw from ten years of 50 sensors: the first one sends every ten minutes, the others every 25."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        path = Path(folder) / "db.sqlite3"
        rows = many_readings(path, slots)
        rollup_writer, steps_s = RollupWriter(path), []
        while (began_s := time.monotonic()) and rollup_writer.step():
            steps_s.append(time.monotonic() - began_s)
        note(figures, "hours and days added up, of readings", rows / sum(steps_s), "rows/s")
        note(figures, "a step of it, at the most", max(steps_s) * 1000, "ms")
        size = rollup_path(path).stat().st_size
        note(figures, "size of the summaries, for each byte of the database", size / path.stat().st_size, "")
        rollup_writer.close()
        store = Store(path, 1_000_000)
        store.recorded()
        began_s = time.monotonic()
        store.archive()
        store.recorded()
        standing_s = time.monotonic() - began_s
        note(figures, f"archive of a database of {rows:,} readings: the loop stands", standing_s * 1000, "ms")
        store.close()
        _draw(figures, History(path), rows)


def many_readings(path: Path, slots: int, start_s: int = 1_400_000_000) -> int:
    """Write readings of ten years; give their number."""
    Store(path, 1_000_000).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as bulk:
        bulk.execute("PRAGMA synchronous = OFF")
        bulk.execute("BEGIN")
        bulk.execute(
            "WITH RECURSIVE slot(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM slot WHERE k + 1 < ?),"
            " sensor(s) AS (SELECT 0 UNION ALL SELECT s + 1 FROM sensor WHERE s < 49)"
            " INSERT INTO ECCTempHum SELECT strftime('%Y-%m-%d %H:%M:%S.', ? + k * 600, 'unixepoch')"
            " || printf('%06d', s), 47.1, 70 + abs(k % 40 - 20) / 4.0, 40 + s / 9.0, 3.4, 90, -67,"
            " printf('ECCTH%02d', s) FROM slot, sensor WHERE s = 0 OR (k + s) % 5 < 2",
            (slots, start_s),
        )
        bulk.execute("COMMIT")
        rows: int = bulk.execute("SELECT count(*) FROM ECCTempHum").fetchone()[0]
    return rows


def _draw(figures: Figures, data: History, rows: int) -> None:
    start_us = utc_us("2019-01-01")
    year = start_us, start_us + 365 * 86_400 * SECOND_US
    ever = 0, utc_us("9999-01-01")
    names = data.sensors()
    drawn: dict[str, tuple[Callable[[], Sized], str]] = {
        "a year of one sensor, drawn by the hour": (lambda: data.rollups("ECCTH00", *year, "hour"), "< 50"),
        "a year of one sensor, every reading": (lambda: list(data.readings(["ECCTH00"], *year)), ""),
        "ten years of one sensor, by the day": (lambda: data.rollups("ECCTH00", *ever, "day"), "< 100"),
        "ten years of 50 sensors, by the day": (
            lambda: [one for name in names for one in data.rollups(name, *ever, "day")],
            "",
        ),
    }
    for what, (draw, target) in drawn.items():
        figures_s, found = [], 0
        for _ in range(5):
            began_s = time.monotonic()
            found = len(draw())
            figures_s.append(time.monotonic() - began_s)
        told = f"{what} ({found:,} points) out of {rows:,}"
        note(figures, told, statistics.median(figures_s) * 1000, "ms", target)


def ten_years(figures: Figures, days: int) -> None:
    """Let ten years pass, with limits so small that everything is archived many times."""
    limits = Limits(database_bytes=32 << 20, log_bytes=8 << 20, log_archives=9)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        years = Years(Path(folder), sensors=50, limits=limits)
        print("      readings  us each  memory MB  live MB  WAL MB  archives  logs  logs MB")
        blocks = []
        for block in years.run(days, 10):
            sizes = [size / 1e6 for size in (block.live_bytes, block.wal_bytes, block.logs_bytes)]
            print(
                f"{block.readings:>14,} {block.us_per_reading:>8.1f} {block.memory_mb:>10.1f}"
                f" {sizes[0]:>8.1f} {sizes[1]:>7.1f} {block.archives:>9} {block.logs:>5} {sizes[2]:>8.1f}",
                flush=True,
            )
            blocks.append(block)
        years.close()
        rows = years.rows()
        sizes = [path.stat().st_size / 1e6 for path in years.files()]
        note(figures, "ten years, 50 sensors: readings in", years.readings, "")
        note(figures, "  rows over all files, each of them sound", rows, "", "the same")
        note(figures, "  archives of the database, at 33.6 MB each", len(sizes) - 1, "")
        note(figures, "  the largest of them", max(sizes), "MB", "< 34")
        note(figures, "  the WAL at its largest", years.max_wal_bytes / 1e6, "MB", "< 67.2")
        note(figures, "  log and its 9 archives, at 8.4 MB each unpacked", blocks[-1].logs_bytes / 1e6, "MB")
        note(figures, "  processor time for a reading, first year", blocks[0].us_per_reading, "us")
        note(
            figures, "  processor time for a reading, last year", blocks[-1].us_per_reading, "us", "the same"
        )
        note(figures, "  memory after the first year", blocks[0].memory_mb, "MB")
        note(figures, "  memory after the last year", blocks[-1].memory_mb, "MB", "the same")
    assert rows == years.readings


def watch(figures: Figures, count: int) -> None:
    """Let so many sensors send every ten minutes for six hours, and time the ticks of the watch."""
    began_us = 1_795_500_000_000_000
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        paths = ("database_file_path", "log_file_path", "last_notice_file_path", "limits_file_path")
        settings = load({path: folder / path for path in paths})
        (folder / "limits_file_path").write_text(
            "[everywhere]\ntoo cold = 40\ntoo damp = 80\ndamp risk = 65\n"
        )
        store = Store(settings.database_file_path, 1_000_000)
        monitor = Monitor(settings, store, UTC, Now(began_us, began_us), lambda _connection, _occasion: None)
        usual, took_ms = decode(OFFICE), []
        for tick in range(2_160):
            now_us = began_us + tick * 10 * SECOND_US
            whose = range(tick % 60, count, 60)
            monitor.note(
                Burst(tick + 1, [Arrival(now_us, _reading(usual, one, tick)) for one in whose], [], [])
            )
            began_s = time.perf_counter()
            monitor.tick(Now(now_us, now_us), Faults())
            took_ms.append((time.perf_counter() - began_s) * 1000)
        assert sum(one.is_steady for one in monitor.sensor_monitor.sensors.values()) == count
        store.close()
    settled = sorted(took_ms[720:])
    note(
        figures, f"the watch over {count:,} sensors: a tick, median", statistics.median(settled), "ms", "< 5"
    )
    note(figures, "the watch: 99th of 100 ticks", settled[len(settled) * 99 // 100], "ms")


def formats(figures: Figures, count: int) -> None:
    """Decode so many messages of each format, in turns, beside the form."""
    sent = {name: messages(name, "ECCTempHum", OFFICE) for name in ("form", *FORMATS)}
    decoder = Decoder([f"{topic}={name}" for name, some in sent.items() for topic, _ in some])
    spent_s: dict[str, list[float]] = {name: [] for name in sent}
    for _ in range(15):
        for name, some in sent.items():
            began_s = time.perf_counter()
            for _ in range(count // 15 // len(some)):
                for topic, payload in some:
                    decoder.decode(topic, payload)
            spent_s[name].append((time.perf_counter() - began_s) / (count // 15 // len(some) * len(some)))
    note(figures, "decoded: messages of the form", 1 / statistics.median(spent_s["form"]), "msg/s")
    for name in FORMATS:
        pairs = zip(spent_s["form"], spent_s[name], strict=True)
        ratio = statistics.median(form_s / one_s for form_s, one_s in pairs)
        note(figures, f"  {name}, as a share of the form", ratio, "", ">= 0.5")


def _reading(usual: Reading, number: int, tick: int) -> Reading:
    return usual._replace(
        sensor_name=f"ECC{number:04d}", location=f"Room {number}", temperature_f=70 + tick // 60 % 9 / 10
    )


def copies(figures: Figures, slots: int) -> None:
    """Back a large database up while readings are stored, and take all of it out."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        path = Path(folder) / "db.sqlite3"
        rows = many_readings(path, slots)
        _let_settle(path)
        store = Store(path, 1_000_000)
        quiet_ms = _commits_ms(store, 0, lambda number: number < 500)
        daily = DailyBackup(path, Path(folder), 0.0)
        daily.tick(time.time_ns() // 1000, 1e6)
        began_s = time.monotonic()
        busy_ms = _commits_ms(store, 500, lambda _: newest_backup_time(Path(folder)) is None)
        daily.stop(10)
        note(figures, f"backup of {path.stat().st_size / 1e6:,.0f} MB", time.monotonic() - began_s, "s")
        note(figures, "  its size", next(Path(folder).glob("*.gz")).stat().st_size / 1e6, "MB")
        note(figures, "  a reading committed meanwhile, median", statistics.median(busy_ms), "ms")
        note(figures, "    the same without a backup", statistics.median(quiet_ms), "ms")
        store.close()
        for name in ("csv", "jsonl", "parquet"):
            words = ["-m", "ecc_listener", "export", "-d", str(path), "--format", name]
            began_s = time.monotonic()
            process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0
            speed = rows / (time.monotonic() - began_s)
            note(figures, f"export of {rows:,} readings as {name}", speed, "rows/s")
            note(figures, "  memory for " + name + ", at the most", usage.ru_maxrss / 1024, "MB", "flat")


def _commits_ms(store: Store, first: int, goes_on: Callable[[int], bool]) -> list[float]:
    """Commit a reading at a time, as they come from sensors; give how long each took."""
    reading = decode(OFFICE)
    spent_ms: list[float] = []
    while goes_on(len(spent_ms)):
        number = first + len(spent_ms) + 1
        began_s = time.perf_counter()
        store.commit(Burst(number, [Arrival(time.time_ns() // 1000, reading)], [], []), number - 1)
        spent_ms.append(1000 * (time.perf_counter() - began_s))
        time.sleep(0.01)
    return spent_ms


def process_status(pid: int, field: str) -> int:
    """Sum a field of all threads where it is one of a thread's, or take it from the process."""
    files = [Path(f"/proc/{pid}/status")]
    if field == "voluntary_ctxt_switches":
        files = list(Path(f"/proc/{pid}/task").glob("*/status"))
    return sum(
        int(line.split()[1])
        for file in files
        for line in file.read_text().splitlines()
        if line.startswith(f"{field}:")
    )


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _written(pid: int) -> int:
    return int(Path(f"/proc/{pid}/io").read_text().split("write_bytes: ")[1].split()[0])


def _processor_s(command: list[str]) -> float:
    """Return the processor time that a command takes, its start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, check=False, stdout=subprocess.DEVNULL, env=os.environ | {"ECC_HEALTH_FILE_PATH": "x"}
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Run all, or what is named."""
    from page import page  # noqa: PLC0415 - it uses what is above
    from postgres import postgres  # noqa: PLC0415 - likewise

    parts = {
        "queue": lambda figures: queue(figures, 100_000),
        "tls": lambda figures: tls(figures, 100_000),
        "latency": lambda figures: latency(figures, 500),
        "flat": lambda figures: flat(figures, [0, 1_000_000, 10_000_000]),
        "idle": lambda figures: idle(figures, 120),
        "history": lambda figures: history(figures, 525_600),
        "page": lambda figures: page(figures, 525_600),
        "memory": lambda figures: memory(figures, 1_000_000),
        "postgres": lambda figures: postgres(figures, 100_000, 300),
        "formats": lambda figures: formats(figures, 150_000),
        "watch": lambda figures: watch(figures, 1_000),
        "copies": lambda figures: copies(figures, 525_600),
        "ten_years": lambda figures: ten_years(figures, 3652),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*parts, []], help="default: all")
    chosen = parser.parse_args().parts or list(parts)
    figures: Figures = {}
    for name in chosen:
        parts[name](figures)
    model = next(
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    machine = f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}"
    for what, figure in figures.items():
        kept[what] = figure | {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": machine}
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"Kept in {RESULTS.relative_to(HERE.parents[1])}")


if __name__ == "__main__":
    main()
