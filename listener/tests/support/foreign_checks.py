"""A changed database goes through everything that this program does with one; what is wrong comes out."""

import faulthandler
import io
import json
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from ecc_listener import cli
from ecc_listener.clock import Clock
from ecc_listener.history.query import History
from ecc_listener.history.rollup_writer import RollupWriter
from ecc_listener.readings.form import decode
from ecc_listener.service import Service
from ecc_listener.settings import load
from ecc_listener.storage.quarantine import Arrival
from ecc_listener.storage.store import Burst, Store
from ecc_listener.storage.values import read_utc
from ecc_listener.web.app import create
from support.brokers import OFFICE
from support.foreign_files import COLUMNS, Maker

NAME = "ECCTempHum.sqlite3"
ARCHIVE = "ECCTempHum-202001010000-202012310000.sqlite3"
PAGES = ("/", "/history", "/events", "/system", "/api/rooms", "/api/events", "/api/system")
NOW_US = 1_785_000_000_000_000
"""In July 2026."""
FOR_EVER = (0, 4_102_444_800_000_000)
Raw = Counter[tuple[object, ...]]


def check(folder: Path, seed: int) -> tuple[int, list[str]]:
    """Create a database by a seed in an empty folder and do everything with it; return rows and problems."""
    maker = Maker(seed)
    made = [maker.create(folder / NAME)]
    if maker.chance.random() < 0.4:
        made.append(maker.create(folder / ARCHIVE))
    raw: Raw = Counter()
    for one in made:
        raw += _raw(one.path)
    case = Case(folder, raw)
    with _in(folder):
        try:
            case.go()
        except Exception as error:  # noqa: BLE001 - the next seed is to be tried, too
            case.problems.append(f"{type(error).__name__}: {error} ({_where(error)})")
    traits = "; ".join(trait for one in made for trait in one.traits)
    return sum(raw.values()), [f"seed {seed}: {problem} [{traits}]" for problem in case.problems]


def _where(error: BaseException) -> str:
    trace, found = error.__traceback__, ""
    while trace:
        code = trace.tb_frame.f_code
        if "ecc_listener" in code.co_filename:
            found = f"{Path(code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


@contextmanager
def _in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _raw(path: Path) -> Raw:
    """Count the rows of a file by what stands in them, with the types."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        info = connection.execute("PRAGMA table_info(ECCTempHum)").fetchall()
        present = (
            {row[1].lower() for row in info}
            if info and isinstance(info[0][1], str)
            else {row[1].decode().lower() for row in info}
        )
        parts = [f"{one}, typeof({one})" if one.lower() in present else "NULL, 'null'" for one in COLUMNS]
        return Counter(map(tuple, connection.execute(f"SELECT {', '.join(parts)} FROM ECCTempHum")))


def _keys(raw: Raw) -> Counter[tuple[str, str]]:
    """Count what can be shown, by name and time."""
    keys: Counter[tuple[str, str]] = Counter()
    for row, count in raw.items():
        utc, utc_type, name, name_type = row[0], row[1], row[14], row[15]
        if (utc_type, name_type) != (b"text", b"text"):
            continue
        assert isinstance(utc, bytes)
        assert isinstance(name, bytes)
        try:
            key = name.decode(), read_utc(utc.decode(errors="replace"))
        except UnicodeDecodeError:
            continue
        if key[0] and key[1]:
            keys[key[0], key[1]] += count
    return keys


def _is_plain(item: tuple[tuple[object, ...], int]) -> bool:
    """Return whether the numbers of a row are such that damage would not look like them."""
    return all(not isinstance(one, int | float) or abs(one) < 1e9 for one in item[0])


class Case:
    """One folder with a changed database and perhaps an archive."""

    def __init__(self, folder: Path, raw: Raw) -> None:
        self.folder = folder
        self.raw = raw
        self.expected = _keys(raw)
        self.unreadable = sum(raw.values()) - sum(self.expected.values())
        self.problems: list[str] = []
        self.bursts = 0

    def go(self) -> None:
        """Do it all: before the listener has opened the file, then with it."""
        shutil.copytree(self.folder, self.folder / "copy")
        (self.folder / "credentials").write_text("me,secret")
        self.look("before the listener", is_all=True)
        self.listener()
        self.look("with the listener", is_all=True)
        self.store(3)
        self.look("after new readings")
        self.rollups()
        backup = self.backup()
        with closing(Store(Path(NAME), 1_000_000)) as store:
            store.archive()
        self.store(2)
        self.look("after an archive")
        self.verb("restore", "--yes", "--merge", backup)
        self.look("after a restore")
        self.store(1)
        self.verb("replay")
        self.look("at the end")
        self.nothing_lost()
        self.recover()

    def verb(self, *words: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Run a verb; note an exit status that is not allowed."""
        out, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(errors):
            status = cli.main(words)
        if status not in allowed:
            self.problems.append(
                f"{' '.join(words)}: exit status {status}: {errors.getvalue()}{out.getvalue()}"
            )
        return out.getvalue()

    def look(self, when: str, *, is_all: bool = False) -> None:
        """Compare what status and export show; with `is_all` also open every page."""
        is_empty = not self.expected
        status = json.loads(self.verb("status", "--json", allowed=(0, 1)))
        if is_all:
            self.verb("status", allowed=(0, 1))
        names = {name for name, _ in self.expected}
        if not (self.folder / ARCHIVE).exists():  # What only an archive has is no sensor of now.
            self.same(f"{when}: sensors in status", {one["name"] for one in status["sensors"]}, names)
        if "restore" not in when and "end" not in when:
            self.same(f"{when}: unreadable rows", status["unreadable_rows"], self.unreadable)
        for form in ("jsonl", "csv") if is_all else ("jsonl",):
            self.verb("export", "--output", f"x.{form}", allowed=(1,) if is_empty else (0,))
        if not is_empty:
            lines = [json.loads(line) for line in Path("x.jsonl").read_text().splitlines()]
            shown = Counter((one["sensor"], str(read_utc(one["time"]))) for one in lines)
            self.same(f"{when}: export", shown, self.expected)
        if is_all:
            self.pages(when, sorted(names))

    def pages(self, when: str, names: list[str]) -> None:
        settings = load(self.flags())
        with TestClient(create(settings, None, lambda: NOW_US), "http://127.0.0.1:8080") as viewer:
            addresses: list[tuple[str, dict[str, str]]] = [(page, {}) for page in PAGES]
            for name in names[:3]:
                addresses += [
                    ("/history", {"sensor": name, "range": "10y"}),
                    ("/api/history", {"sensor": name}),
                ]
                addresses.append(("/history.csv", {"sensor": name}))
            for address, query in addresses:
                answer = viewer.get(address, params=query)
                if answer.status_code >= 500 or (answer.status_code != 200 and not query):
                    self.problems.append(
                        f"{when}: {address} {query}: {answer.status_code} {answer.text[:200]}"
                    )

    def flags(self) -> dict[str, Any]:
        files = {"database_file_path": NAME, "health_file_path": "health.json", "log_file_path": "log"}
        return files | {
            "credentials_file_path": "credentials",
            "backup_folder": "backup",
            "limits_file_path": "limits.ini",
            "last_notice_file_path": "last",
            "gmail_credentials_file_path": "no-mail",
            "apprise_urls_file_path": "no-urls",
        }

    def listener(self) -> None:
        """Let a listener start, look at everything once, and end."""
        service = Service(load(self.flags(), listening=True), Clock())
        service.tasks.tick(service.clock.now())
        faulthandler.cancel_dump_traceback_later()
        service.stopped_by = "check"
        service.shutdown()

    def store(self, count: int) -> None:
        """Store readings, of a sensor that is known and of one that is not."""
        with closing(Store(Path(NAME), 1_000_000)) as store:
            recorded = store.recorded()
            number = recorded[-1][0] + 1 if recorded else self.bursts + 1
            self.bursts = number
            arrivals = []
            for index in range(count):
                name = ("ECCTH01", "new")[index % 2]
                at_us = NOW_US + 678_901 - 60_000_000 * (1000 - 10 * number - index)
                arrivals.append(Arrival(at_us, decode(OFFICE)._replace(sensor_name=name)))
            store.commit(Burst(number, arrivals, [], []), 0)
        for at_us, reading in arrivals:
            from ecc_listener.storage.connection import utc_text  # noqa: PLC0415

            self.expected[reading.sensor_name, str(read_utc(utc_text(at_us)))] += 1

    def rollups(self) -> None:
        """Compare the rollups with the readings, with and without the rollup file."""
        counts = Counter(name for name, _ in self.expected.elements())
        for when in ("without a rollup file", "with one"):
            history = History(Path(NAME))
            for name in history.sensors():
                for step in ("hour", "day"):
                    buckets = history.rollups(name, *FOR_EVER, step)
                    self.same(f"rollups by {step} {when}", sum(one.count for one in buckets), counts[name])
            with closing(RollupWriter(Path(NAME))) as writer:
                while writer.step(50):
                    pass

    def backup(self) -> str:
        shown = self.verb("backup")
        backup = shown.split("  ")[0].strip()
        self.verb("restore", "--check", backup)
        return backup

    def nothing_lost(self) -> None:
        """Find every row that was there at the beginning, and no file that is called damaged."""
        now: Raw = Counter()
        for path in self.folder.glob("ECCTempHum*.sqlite3"):
            if "damaged" in path.name:
                self.problems.append(f"{path.name} is called damaged")
            elif "summary" not in path.name:
                now += _raw(path)
        if lost := self.raw - now:
            self.problems.append(f"{sum(lost.values())} rows lost, such as {next(iter(lost))}")

    def recover(self) -> None:
        """Recover a copy of the file from its pages."""
        where = self.folder / "copy"
        raw = _raw(where / NAME)
        with closing(sqlite3.connect(where / NAME)) as connection:
            size = connection.execute("PRAGMA page_size").fetchone()[0]
            sql = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'ECCTempHum'").fetchone()[0]
            connection.execute("PRAGMA journal_mode = DELETE")
        damaged = where / "ECCTempHum-damaged-202601010000.sqlite3"
        (where / NAME).rename(damaged)
        for path in where.glob("ECCTempHum-20*"):
            path.unlink()
        with _in(where):
            self.verb("recover")
            found = {(row.sensor_name, row.utc) for row in History(Path(NAME)).readings(None, *FOR_EVER)}
        # A long name goes on in other pages, and rows WITHOUT ROWID stand in pages of another kind.
        wanted = {
            key for key in _keys(Counter(dict(filter(_is_plain, raw.items())))) if len(key[0]) < size // 8
        }
        if "WITHOUT ROWID" not in sql and not wanted <= found:
            self.problems.append(
                f"recover: {len(wanted - found)} readings not found, {sorted(wanted - found)[:2]}"
            )

    def same(self, what: str, found: object, expected: object) -> None:
        if found != expected:
            differing = ""
            if isinstance(found, Counter) and isinstance(expected, Counter):
                differing = f"; missing {dict(expected - found)}, too many {dict(found - expected)}"[:300]
                found, expected = sum(found.values()), sum(expected.values())
            self.problems.append(f"{what}: {found} instead of {expected}{differing}")
