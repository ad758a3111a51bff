"""`ecc-listener demo`: broker, listener, page and simulated rooms on one machine, with nothing but Python.

The sensors are simulated in this process. Broker, listener and page are processes of their own, and the real
ones; only their clock runs faster, so that rules and messages work in the time of the simulated rooms.
"""

import argparse
import logging
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ecc_listener.demo.clock import FastClock
from ecc_listener.demo.history import START, prepare, write_history
from ecc_listener.demo.mailbox import Mailbox
from ecc_listener.demo.processes import HOST, ProcessError, Processes
from ecc_listener.demo.screen import Counts, Screen, count, newest
from ecc_listener.local_time import duration, local_zone
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
from ecc_listener.simulator.device import INTERVAL
from ecc_listener.simulator.schedule import Plan, Simulation, create_accounts

_SENT_WITHIN_S, _STORED_WITHIN_S = 0.1, 0.3
_REFRESH_S = 0.25
_PAUSING = 5
"""Which sensor is silent for a while, if the user chooses no misbehaviour."""
_QUERY = "SELECT * FROM ECCTempHum ORDER BY recordWrittenUTC DESC LIMIT 6"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    add = parser.add_argument_group("demonstration").add_argument
    add(
        "--folder",
        type=Path,
        default=None,
        metavar="",
        help="folder in which everything is kept (default: nothing is kept)",
    )
    add(
        "--seconds",
        **a_number(float, 0, 10**9, None),
        help="end after this many seconds (default: at Ctrl-C)",
    )
    add(
        "--history",
        **a_number(float, 0, 3660, 30.0),
        help="days of readings to write before it starts (default: 30)",
    )
    add(
        "--every",
        **a_number(float, 0.1, 86400, 5.0),
        help="seconds between a sensor's readings (default: 5)",
    )
    add_room_arguments(add)
    parser.epilog = misbehaviour_help()


def main(settings: Settings, arguments: dict[str, Any]) -> int:
    """Run it until Ctrl-C, SIGTERM or the given time; return the exit status.

    Raises:
        SettingsError: the folder can't be created, the port is in use, or there are too many misbehaviours.

    """
    plan = make_plan({"sensors": len(ROOMS), **arguments}, None, START)
    if not arguments["misbehave"]:
        plan = _with_a_pause(plan)
    plan = replace(plan, sensors=prepare(plan.sensors))
    page_port = settings.web_port if "web_port" in settings.model_fields_set else None
    # The listener has a log; the screen shows the same in its own way.
    logging.getLogger("ecc_listener").addHandler(logging.NullHandler())
    progress = Progress(sys.stdout)
    with (
        _folder(arguments["folder"]) as folder,
        Mailbox(HOST) as mailbox,
        Processes(folder, mailbox.url, page_port) as processes,
    ):
        try:
            _Demonstration(plan, processes, mailbox, progress, arguments).run()
        except ProcessError as error:
            progress.say(f"This went wrong: {error}")
            return 1
    return 0


class _Demonstration:
    """One run, from the history to the summary."""

    def __init__(
        self,
        plan: Plan,
        processes: Processes,
        mailbox: Mailbox,
        progress: Progress,
        arguments: dict[str, Any],
    ) -> None:
        # In the rooms it is local time, whatever the zone: the service is on Sunday morning.
        self.offset = START.replace(tzinfo=local_zone()).utcoffset() or timedelta(0)
        self.plan = replace(plan, start=START - self.offset)
        self.processes = processes
        self.mailbox = mailbox
        self.progress = progress
        self.arguments = arguments
        # Time never stands still, not even if the rooms' time does.
        self.speed = max(1.0, plan.step.total_seconds() / plan.every_s)
        self.clients = SensorClients(
            Target(HOST, processes.port, TOPIC, 0, None, arguments["format"]),
            create_accounts(plan, processes.credentials),
        )
        self.before: Counts | None = None
        self.started_s = time.monotonic()

    def run(self) -> None:
        """Run until it is ended; then end everything within two seconds."""
        with ended_by_signals():
            self.introduce()
            self.show()
        self.progress.say(self.summary())

    def introduce(self) -> None:
        """Write the history and start the programs."""
        rooms = f"{len(self.plan.sensors)} simulated rooms"
        self.progress.say(f"A demonstration: an MQTT broker, the listener, its page, and {rooms}.")
        database = self.processes.database
        length = timedelta(days=self.arguments["history"])
        if database.exists():
            start = max(self.plan.start, newest(database) + INTERVAL)
            self.plan = replace(self.plan, start=start)
            if length:
                self.progress.say("The database exists already, so no history is written into it.")
        elif length:
            self.progress.say(f"Writing the readings and events of the {_days(length)} before ...")
            settings = self.processes.settings(self.speed)
            rows = write_history(settings, self.plan.sensors, self.offset, length)
            self.progress.say(f"{rows:,} readings of the last {_days(length)} are in the database already.")

    def show(self) -> None:
        """Let the sensors send, and show what is stored, until the time is over."""
        clock = FastClock.started_at(self.plan.start, self.speed)
        self.processes.start(clock)
        self.started_s = time.monotonic()
        seconds = self.arguments["seconds"]
        until_s = self.started_s + seconds if seconds else float("inf")
        self.progress.say(_introduction(self.plan, self.processes, self.speed, seconds))
        self.plan = replace(self.plan, start=clock.moment() + self.offset)
        screen = Screen(self.plan, self.processes, clock, self.mailbox, self.progress)
        self.before = screen.before
        simulation = Simulation(self.plan, self.clients, time.monotonic())
        while time.monotonic() < until_s:
            self.clients.run_until(min(simulation.due_s, until_s, time.monotonic() + _REFRESH_S))
            simulation.tick(time.monotonic())
            self.processes.check()
            last = simulation.last
            screen.refresh(self.clients.faults(), last.at if last else self.plan.start)

    def summary(self) -> str:
        """Wait a moment for the last messages, and return how many were stored."""
        if self.before is None:
            return "Ended before it had started; nothing is kept."
        self.clients.finish(_SENT_WITHIN_S)
        until_s = time.monotonic() + _STORED_WITHIN_S
        while True:
            stored = count(self.processes.database, after=self.before)
            if sum(stored) >= self.clients.sent or time.monotonic() > until_s:
                break
            time.sleep(0.02)
        elapsed = timedelta(seconds=round(time.monotonic() - self.started_s))
        counted = f"{stored.rows:,} rows stored, {stored.rejected:,} rejected"
        kept = f"Everything is in {self.processes.folder}."
        if self.arguments["folder"] is None:
            kept = "Nothing of it is kept; with --folder it is."
        return f"Ended after {elapsed}: {self.clients.sent:,} messages sent, {counted}.\n{kept}"


def _with_a_pause(plan: Plan) -> Plan:
    """Return the plan in which one sensor is silent for a while, so that there is something to see."""
    misbehaviours = list(plan.misbehaviours)
    misbehaviours[min(_PAUSING, len(misbehaviours)) - 1] = "pause"
    return replace(plan, misbehaviours=tuple(misbehaviours))


def _introduction(plan: Plan, processes: Processes, speed: float, seconds: float | None) -> str:
    start = plan.start.astimezone(local_zone())
    minute = duration(round(speed * 60_000_000))
    pace = "" if speed == 1 else f"A minute here is {minute} there. "
    end = f"It ends after {seconds:g} s." if seconds else "It runs until Ctrl-C."
    return "\n".join(
        [
            f"It starts on {start:%A, %-d %B %Y, at %H:%M %Z}.",
            f"{pace}Each sensor sends every {plan.every_s:g} s. {end}",
            "",
            f"  Page      {processes.page}",
            f"  Database  {processes.database}",
            f"  Log       {processes.log}",
            "  Read the database from another terminal:",
            f"  sqlite3 -readonly -header -column {shlex.quote(str(processes.database))} \\",
            f'    "{_QUERY}"',
        ]
    )


def _days(length: timedelta) -> str:
    return f"{length / timedelta(days=1):g} days"


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """Return the folder for everything; a temporary one is removed afterwards."""
    if given is None:
        with TemporaryDirectory(prefix="ecc-demo-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    try:
        given.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError([f"folder: {given} can't be created: {error.strerror}"]) from None
    yield given.resolve()
