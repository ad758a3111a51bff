"""`ecc-listener demo`: broker, listener, page and simulated rooms on one machine, with nothing but Python.

The sensors are played here; broker, listener and page are processes of their own, the real ones (`stage`).
Rows are shown as they appear in the database.
"""

import argparse
import shlex
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ecc_listener.demo.processes import HOST, Stage, StageError
from ecc_listener.demo.table import Line, events, plain, table
from ecc_listener.progress import Progress
from ecc_listener.settings import Settings, SettingsError
from ecc_listener.simulator.clients import SensorClients, Target
from ecc_listener.simulator.climate import ROOMS
from ecc_listener.simulator.command import (
    TOPIC,
    a_number,
    add_room_arguments,
    ended_by_signals,
    make_plan,
    misbehaviour_help,
)
from ecc_listener.simulator.schedule import Plan, Simulation, create_accounts
from ecc_listener.storage.connection import connect_readonly, utc_us

_STORED_WITHIN_S = 3.0
_REFRESH_S = 0.25
_TREND_READINGS = 6
_PATIENCE_TURNS = 3
_COLUMNS = "sensorName, recordWrittenUTC, temperatureF, relHumidityPercent, battPercent"
_QUERY = "SELECT * FROM ECCTempHum ORDER BY recordWrittenUTC DESC LIMIT 6"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this verb takes."""
    add = parser.add_argument_group("demonstration").add_argument
    add(
        "--folder",
        type=Path,
        default=None,
        metavar="",
        help="keep everything there (default: nothing is kept)",
    )
    add("--seconds", **a_number(float, 0, 10**9, None), help="end after that time (default: at Ctrl-C)")
    add(
        "--history",
        **a_number(float, 0, 3660, 30.0),
        help="days of readings to write before (default: 30)",
    )
    add(
        "--every",
        **a_number(float, 0.1, 86400, 2.0),
        help="seconds between a sensor's readings (default: 2)",
    )
    add_room_arguments(add)
    parser.epilog = misbehaviour_help()


def main(_settings: Settings, arguments: dict[str, Any]) -> int:
    """Show it until Ctrl-C, SIGTERM or the given time; return the exit status.

    Raises:
        SettingsError: the folder can't be made, or there are too many misbehaviours.

    """
    now = datetime.now(UTC)
    start = now if arguments["history"] else _sunday_morning(now)
    plan = make_plan({"sensors": len(ROOMS), **arguments}, None, start)
    progress = Progress(sys.stdout)
    with _folder(arguments["folder"]) as folder, Stage(folder) as stage:
        try:
            return _show(plan, stage, arguments, progress)
        except StageError as error:
            progress.say(f"This went wrong: {error}")
            return 1


def _show(plan: Plan, stage: Stage, arguments: dict[str, Any], progress: Progress) -> int:
    clients = SensorClients(Target(HOST, stage.port, TOPIC, 0), create_accounts(plan, stage.credentials))
    with ended_by_signals():
        progress.say(
            f"An MQTT broker, the listener, its page, and {len(plan.sensors)} rooms that are simulated."
        )
        if arguments["history"]:
            progress.say(_write_history(plan, stage, timedelta(days=arguments["history"])))
        stage.start()
        started_s = time.monotonic()
        progress.say(_introduction(plan, stage, arguments["seconds"]))
        until_s = started_s + arguments["seconds"] if arguments["seconds"] else float("inf")
        _play(plan, clients, _Screen(plan, stage, progress, arguments["seed"]), until_s)
    clients.finish(_STORED_WITHIN_S)
    _wait_until_stored(stage, clients.sent)
    lasted = timedelta(seconds=round(time.monotonic() - started_s))
    is_kept = arguments["folder"] is not None
    progress.say(
        f"Ended after {lasted}: {clients.sent:,} messages sent, {_stored(stage)}.\n"
        + (f"Everything is in {stage.folder}." if is_kept else "Nothing of it is kept; with --folder it is.")
    )
    return 0


def _write_history(plan: Plan, stage: Stage, length: timedelta) -> str:
    if stage.database.exists():
        return "The database is there already; no history is written into it."
    rows = stage.write_history(plan.sensors, plan.start, length)
    return f"{rows:,} readings of the last {length / timedelta(days=1):g} days are in the database already."


def _stored(stage: Stage) -> str:
    known = stage.health()
    return f"{known.rows:,} rows stored, {known.rejected:,} rejected" if known else "nothing stored"


def _play(plan: Plan, clients: SensorClients, screen: "_Screen", until_s: float) -> None:
    simulation = Simulation(plan, clients, time.monotonic())
    while time.monotonic() < until_s:
        clients.run_until(min(simulation.due_s, until_s, time.monotonic() + _REFRESH_S))
        simulation.tick(time.monotonic())
        screen.refresh(simulation, clients.faults())


class _Screen:
    """Shows what the database holds: a live table on a terminal, a line for each row elsewhere."""

    def __init__(self, plan: Plan, stage: Stage, progress: Progress, seed: int) -> None:
        self._plan = plan
        self._stage = stage
        self._progress = progress
        self._seed = seed
        self._next_s = 0.0
        with closing(connect_readonly(stage.database)) as connection:
            newest = connection.execute("SELECT coalesce(max(rowid), 0) FROM ECCTempHum").fetchone()
        self._last_rowid: int = newest[0]

    def refresh(self, simulation: Simulation, faults: list[str]) -> None:
        """Show what is new, a few times a second."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _REFRESH_S
        self._stage.check()
        self._progress.faults(faults)
        with closing(connect_readonly(self._stage.database)) as connection:
            if self._progress.is_terminal:
                self._progress.show(self._live(connection, simulation))
            else:
                for line in self._new(connection):
                    self._progress.say(plain(line))

    def _live(self, connection: sqlite3.Connection, simulation: Simulation) -> str:
        names = [sensor.name for sensor in self._plan.sensors]
        lines = [line for name in names if (line := _latest(connection, name))]
        patience = timedelta(seconds=_PATIENCE_TURNS * self._plan.every_s + 1)
        known = self._stage.health()
        counted = f"{known.rows:,} rows stored, {known.rejected:,} messages rejected." if known else ""
        room_time = simulation.last.at if simulation.last else self._plan.start
        happening = events([sensor.room for sensor in self._plan.sensors], room_time, self._seed)
        shown = table(lines, names, datetime.now(UTC), patience)
        return "\n".join(["", *shown, "", f"{happening}.", f"{counted} Ctrl-C ends it."])

    def _new(self, connection: sqlite3.Connection) -> list[Line]:
        rows = connection.execute(
            f"SELECT rowid, {_COLUMNS} FROM ECCTempHum WHERE rowid > ? ORDER BY rowid", (self._last_rowid,)
        ).fetchall()
        if rows:
            self._last_rowid = rows[-1][0]
        return [_line(connection, row, None) for _, *row in rows]


def _latest(connection: sqlite3.Connection, name: str) -> Line | None:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM ECCTempHum WHERE sensorName = ? ORDER BY recordWrittenUTC DESC LIMIT ?",
        (name, _TREND_READINGS + 1),
    ).fetchall()
    return _line(connection, rows[0], rows[-1][2]) if rows else None


def _line(connection: sqlite3.Connection, row: Sequence[Any], before_f: float | None) -> Line:
    name, utc, *values = row
    about = connection.execute(
        "SELECT location FROM ECCTempHumSensor WHERE sensorName = ? ORDER BY rowid DESC LIMIT 1", (name,)
    ).fetchone()
    seen = datetime.fromtimestamp(utc_us(utc) / 1_000_000, UTC)
    return Line._make([name, about[0] if about else None, seen, *values, before_f])


def _introduction(plan: Plan, stage: Stage, seconds: float | None) -> str:
    pace = f"A sensor sends every {plan.every_s:g} s."
    if plan.step:
        day_min = timedelta(days=1) / plan.step * plan.every_s / 60
        pace = (
            f"A sensor sends every {plan.every_s:g} s, each time {plan.step.total_seconds() / 60:g} minutes "
            f"later in its room:\na day there lasts {round(day_min, 1):g} minutes."
        )
    end = f"It ends after {seconds:g} s." if seconds else "It runs until Ctrl-C."
    return "\n".join(
        [
            f"{pace} {end}",
            "",
            f"  Page      {stage.page}",
            f"  Database  {stage.database}",
            f"  Log       {stage.log}",
            "  Look into it from another terminal:",
            f"  sqlite3 -readonly -header -column {shlex.quote(str(stage.database))} \\",
            f'    "{_QUERY}"',
        ]
    )


def _wait_until_stored(stage: Stage, messages: int) -> None:
    """Wait until the last messages are stored, but not for ever: some may be lost."""
    until_s = time.monotonic() + _STORED_WITHIN_S
    while (known := stage.health()) and known.messages < messages and time.monotonic() < until_s:
        time.sleep(0.1)


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """Return the folder for everything; one that nobody chose is gone afterwards."""
    if given is None:
        with TemporaryDirectory(prefix="ecc-demo-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    try:
        given.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError([f"folder: {given} can't be made: {error.strerror}"]) from None
    yield given.resolve()


def _sunday_morning(now: datetime) -> datetime:
    """Return the last Sunday at 6:00, when the heating starts, so that something happens at once."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    sunday = midnight - timedelta(days=(midnight.weekday() + 1) % 7)
    return sunday + timedelta(hours=6)
