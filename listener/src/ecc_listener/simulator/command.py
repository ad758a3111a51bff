"""`ecc-listener simulate`: plays a number of sensors against a broker, well-behaved or not.

The rooms' time may run faster than the clock: a reading every 5 seconds, each ten minutes of the rooms' time
after the one before it, lets a day pass in twelve minutes.
"""

import argparse
import signal
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ecc_listener.credentials import Credentials, CredentialsError, read_mqtt
from ecc_listener.progress import Progress
from ecc_listener.settings import Settings, SettingsError
from ecc_listener.simulator.clients import Fleet, Target
from ecc_listener.simulator.device import boards
from ecc_listener.simulator.misbehaviour import MISBEHAVIOURS
from ecc_listener.simulator.schedule import Plan, Simulation, accounts

TOPIC = "ECCTempHum"
MAX_SENSORS = 500
"""Each has a connection of its own, and `select` takes about 1,000."""

_CREDENTIALS = Path("secrets/sensor_credentials")
_PAUSE_S = 0.5
_FINISH_WITHIN_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this verb takes."""
    add = parser.add_argument_group("sensors").add_argument
    add("--sensors", **number(int, 1, MAX_SENSORS, 6), help="how many, ECCTH01 and on (default: 6)")
    add(
        "--every",
        **number(float, 0, 86400, 5.0),
        help="seconds between a sensor's readings (default: 5; real sensors: 600)",
    )
    add(
        "--count",
        **number(int, 1, 10**9, None),
        help="readings of each sensor, then end (default: for ever)",
    )
    add_room_arguments(add)
    add("--qos", type=int, choices=(0, 1, 2), default=0, help="0 as the firmware (default), 1 or 2")
    add("--topic", default=TOPIC, metavar="", help=f"topic to publish to (default: {TOPIC})")
    add(
        "--sensor_credentials_file_path",
        type=Path,
        default=None,
        metavar="",
        help=f"file with the sensors' username,password (default: {_CREDENTIALS} where it exists, "
        "otherwise the listener's)",
    )
    parser.epilog = misbehaviour_help()


def add_room_arguments(add: Callable[..., Any]) -> None:
    """Add what the demonstration takes as well."""
    add(
        "--step",
        **number(float, 0, 525600, 10.0),
        help="minutes of the rooms' time between them (default: 10)",
    )
    add("--seed", **number(int, 0, 2**32, 0), help="number that decides about all chance (default: 0)")
    add(
        "--misbehave",
        type=_misbehaviours,
        default=(),
        metavar="",
        help="comma-separated list of those below: the first for ECCTH01, the second for ECCTH02, ...",
    )


def misbehaviour_help() -> str:
    """Give a line for each misbehaviour."""
    return "misbehaviours:\n" + "\n".join(f"  {name:22}  {one.help}" for name, one in MISBEHAVIOURS.items())


def main(settings: Settings, arguments: dict[str, Any]) -> int:
    """Play until Ctrl-C, SIGTERM or the count; give the exit status.

    Raises:
        SettingsError: credentials, certificate or misbehaviours are wrong.

    """
    plan = make_plan(arguments, arguments["count"], datetime.now(UTC))
    credentials = _credentials(settings, arguments["sensor_credentials_file_path"])
    target = Target(
        settings.mqtt_broker, settings.mqtt_port, arguments["topic"], arguments["qos"], _tls(settings)
    )
    fleet = Fleet(target, accounts(plan, credentials))
    progress = Progress(sys.stdout)
    progress.say(
        f"{len(plan.sensors)} sensors send to {target.topic} at {target.host}:{target.port} "
        f"every {plan.every_s:g} s. Ctrl-C ends it."
    )
    started_s = time.monotonic()
    with until_told_to_end():
        play(plan, fleet, progress)
    fleet.finish(_FINISH_WITHIN_S)
    lasted = timedelta(seconds=round(time.monotonic() - started_s))
    progress.say(f"Ended after {lasted}: {fleet.sent:,} messages sent, {fleet.lost:,} lost.")
    return 0 if fleet.sent or plan.count is None else 1


def play(plan: Plan, fleet: Fleet, progress: Progress) -> None:
    """Connect, then let the sensors send until the count is reached."""
    while not (fleet.is_tried and fleet.connected):
        fleet.serve(time.monotonic() + _PAUSE_S)
        progress.faults(fleet.faults())
    simulation = Simulation(plan, fleet, time.monotonic())
    while not simulation.is_over:
        fleet.serve(min(simulation.due_s, time.monotonic() + _PAUSE_S))
        simulation.tick(time.monotonic())
        progress.faults(fleet.faults())
        progress.show(_state(plan, fleet, simulation))


def make_plan(arguments: dict[str, Any], count: int | None, start: datetime) -> Plan:
    """Make a plan of the command line.

    Raises:
        SettingsError: there are more misbehaviours than sensors.

    """
    sensors = boards(arguments["sensors"], arguments["seed"])
    misbehaviours = arguments["misbehave"]
    if len(misbehaviours) > len(sensors):
        raise SettingsError([f"misbehave: {len(misbehaviours)} misbehaviours need as many sensors"])
    return Plan(
        sensors=sensors,
        misbehaviours=misbehaviours + (None,) * (len(sensors) - len(misbehaviours)),
        every_s=arguments["every"],
        step=timedelta(minutes=arguments["step"]),
        count=count,
        start=start,
    )


@contextmanager
def until_told_to_end() -> Iterator[None]:
    """Let SIGINT, SIGTERM and a closed terminal end the block, quietly; what follows it isn't interrupted."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)


def _state(plan: Plan, fleet: Fleet, simulation: Simulation) -> str:
    last = simulation.last
    rooms = f", rooms' time {last.at:%a %H:%M}, last {last.board.name} {last.board.room.name}" if last else ""
    lost = f", {fleet.lost:,} lost" if fleet.lost else ""
    return f"{fleet.connected} of {len(plan.sensors)} connected, {fleet.sent:,} sent{lost}{rooms}"


def _credentials(settings: Settings, given: Path | None) -> Credentials:
    path = given or (_CREDENTIALS if _CREDENTIALS.exists() else settings.credentials_file_path)
    try:
        return read_mqtt(path)
    except CredentialsError as error:
        raise SettingsError([f"sensor_credentials_file_path: {error}"]) from None


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.mqtt_ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=settings.mqtt_ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError([f"mqtt_ca_file: {settings.mqtt_ca_file}: {error.strerror or error}"]) from None


def number(kind: Callable[[str], float], low: float, high: float, default: float | None) -> dict[str, Any]:
    """Give the arguments of `add_argument` for a number between two bounds."""

    def convert(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = high + 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {low:g} to {high:g}")
        return value

    return {"type": convert, "default": default, "metavar": ""}


def _misbehaviours(text: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in names:
        if name not in MISBEHAVIOURS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(MISBEHAVIOURS)}")
    return names
