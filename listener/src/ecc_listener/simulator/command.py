"""`ecc-listener simulate`: publish readings like a number of sensors, well-behaved or not.

The rooms' time may run faster than the clock. With a reading every 5 seconds, each 10 minutes later in the
rooms, a day takes 12 minutes.
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
from ecc_listener.simulator.clients import SensorClients, Target
from ecc_listener.simulator.device import create_devices
from ecc_listener.simulator.formats import FORM, TOPICS
from ecc_listener.simulator.misbehaviour import MISBEHAVIOURS
from ecc_listener.simulator.schedule import Plan, Simulation, create_accounts

TOPIC = "ECCTempHum"
MAX_SENSORS = 500
"""Each has its own connection, and `select` can wait for about 1,000."""

_CREDENTIALS = Path("secrets/sensor_credentials")
_PAUSE_S = 0.5
_FINISH_WITHIN_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    add = parser.add_argument_group("sensors").add_argument
    add(
        "--sensors",
        **a_number(int, 1, MAX_SENSORS, 6),
        help="how many sensors, from ECCTH01 on (default: 6)",
    )
    add(
        "--every",
        **a_number(float, 0, 86400, 5.0),
        help="seconds between a sensor's readings (default: 5; real sensors: 600)",
    )
    add(
        "--count",
        **a_number(int, 1, 10**9, None),
        help="end after this many readings of each sensor (default: at Ctrl-C)",
    )
    add_room_arguments(add)
    add(
        "--qos",
        type=int,
        choices=(0, 1, 2),
        default=0,
        help="quality of service: 0 as the firmware (default), 1 or 2",
    )
    add("--topic", default=TOPIC, metavar="", help=f"topic to publish on (default: {TOPIC})")
    add(
        "--sensor_credentials_file_path",
        type=Path,
        default=None,
        metavar="",
        help=f"file with the sensors' username,password (default: {_CREDENTIALS} if it exists, "
        "otherwise the listener's file)",
    )
    parser.epilog = misbehaviour_help()


def add_room_arguments(add: Callable[..., Any]) -> None:
    """Add the arguments that the demonstration has, too."""
    add(
        "--step",
        **a_number(float, 0, 525600, 10.0),
        help="minutes between them in the rooms (default: 10)",
    )
    add(
        "--seed",
        **a_number(int, 0, 2**32, 0),
        help="number that decides everything random (default: 0)",
    )
    add(
        "--misbehave",
        type=_misbehaviours,
        default=(),
        metavar="",
        help="names from the list below, separated by commas: the first for ECCTH01, the second for ECCTH02 "
        "and so on; empty for a sensor that behaves well",
    )
    add(
        "--format",
        choices=TOPICS,
        default=FORM,
        help=f"what the sensors speak: {', '.join(TOPICS)} (default: {FORM})",
        metavar="",
    )


def misbehaviour_help() -> str:
    """Return the list of misbehaviours for the help text."""
    return "misbehaviours:\n" + "\n".join(f"  {name:22}  {one.help}" for name, one in MISBEHAVIOURS.items())


def main(settings: Settings, arguments: dict[str, Any]) -> int:
    """Simulate until Ctrl-C, SIGTERM or the given number of readings; return the exit status.

    Raises:
        SettingsError: the credentials, the CA file or the misbehaviours are wrong.

    """
    plan = make_plan(arguments, arguments["count"], datetime.now(UTC))
    credentials = _credentials(settings, arguments["sensor_credentials_file_path"])
    target = Target(
        settings.mqtt_broker,
        settings.mqtt_port,
        arguments["topic"],
        arguments["qos"],
        _tls(settings),
        arguments["format"],
    )
    clients = SensorClients(target, create_accounts(plan, credentials))
    progress = Progress(sys.stdout)
    progress.say(
        f"{len(plan.sensors)} sensors send to {_shown_topic(target)} at {target.host}:{target.port} "
        f"every {plan.every_s:g} s. Ctrl-C ends it."
    )
    started_s = time.monotonic()
    with ended_by_signals():
        play(plan, clients, progress)
    clients.finish(_FINISH_WITHIN_S)
    elapsed = timedelta(seconds=round(time.monotonic() - started_s))
    progress.say(f"Ended after {elapsed}: {clients.sent:,} messages sent, {clients.lost:,} lost.")
    return 0 if clients.sent or plan.count is None else 1


def _shown_topic(target: Target) -> str:
    return target.topic if target.format == FORM else TOPICS[target.format]


def play(plan: Plan, clients: SensorClients, progress: Progress) -> None:
    """Connect, then let the sensors send until the plan is done."""
    while not (clients.is_tried and clients.connected):
        clients.run_until(time.monotonic() + _PAUSE_S)
        progress.faults(clients.faults())
    simulation = Simulation(plan, clients, time.monotonic())
    while not simulation.is_over:
        clients.run_until(min(simulation.due_s, time.monotonic() + _PAUSE_S))
        simulation.tick(time.monotonic())
        progress.faults(clients.faults())
        progress.show(_status(plan, clients, simulation))


def make_plan(arguments: dict[str, Any], count: int | None, start: datetime) -> Plan:
    """Return the plan that the command line describes.

    Raises:
        SettingsError: there are more misbehaviours than sensors.

    """
    sensors = create_devices(arguments["sensors"], arguments["seed"])
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
def ended_by_signals() -> Iterator[None]:
    """Let SIGINT, SIGTERM and a closed terminal end the block without an error.

    Afterwards these signals are ignored, so that what follows is not interrupted.
    """
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


def _status(plan: Plan, clients: SensorClients, simulation: Simulation) -> str:
    last = simulation.last
    rooms = (
        f", rooms' time {last.at:%a %H:%M}, last {last.device.name} {last.device.room.name}" if last else ""
    )
    lost = f", {clients.lost:,} lost" if clients.lost else ""
    return f"{clients.connected} of {len(plan.sensors)} connected, {clients.sent:,} sent{lost}{rooms}"


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


def a_number(kind: Callable[[str], float], low: float, high: float, default: float | None) -> dict[str, Any]:
    """Return the arguments of `add_argument` for a number between two bounds."""

    def convert(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = high + 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return {"type": convert, "default": default, "metavar": ""}


def _misbehaviours(text: str) -> tuple[str | None, ...]:
    names = tuple(part.strip() or None for part in text.split(","))
    for name in names:
        if name and name not in MISBEHAVIOURS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(MISBEHAVIOURS)}")
    return names
