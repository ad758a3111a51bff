"""A simulated year of 30 sensors, with a script of what truly happened, and what the watch told of it.

`python -m support.year` in the folder `tests` prints the table. Time is passed in, so a year takes less
than a minute. The
watch, its tables, the letters and the outbox are the real ones; the database lies in memory.
"""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar, cast
from zoneinfo import ZoneInfo

from ecc_listener.clock import Now
from ecc_listener.monitoring.monitor import Faults, Monitor
from ecc_listener.notifications import message, outbox
from ecc_listener.notifications.errors import SendFault
from ecc_listener.notifications.notice import Notification
from ecc_listener.notifications.outbox import Outcome
from ecc_listener.settings import Settings, load
from ecc_listener.simulator.climate import random_fraction, weather_at
from ecc_listener.simulator.device import Device, Measurement, create_devices, measure, measure_in
from ecc_listener.storage.connection import atomic, utc_text
from ecc_listener.storage.migrate import migrate
from ecc_listener.storage.quarantine import Arrival, Rejected
from ecc_listener.storage.schema import CARRIED
from ecc_listener.storage.statements import Connection
from ecc_listener.storage.store import Burst, Store

Result = TypeVar("Result")

START = datetime(2026, 1, 5, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
SENSORS = 30
STEP_S, MINUTE_S, HOUR_S, DAY_S = 600, 60, 3600, 86_400
PHASES = 3
TICK_S = STEP_S // PHASES
"""The sensors take turns, a third at a time."""
US = 1_000_000
START_US = int(START.timestamp()) * US
LOST = 0.002
"""The share of readings that get lost on the air, each by itself."""
FLAT = "A battery goes flat"
LIMITS = """
[Nave]
too cold = 40 °F for 4 h
[Library 2]
too damp = 92 % for 6 h
"""


def at(day: float, hour: float = 0) -> float:
    """Give seconds since the year's beginning."""
    return day * DAY_S + hour * HOUR_S


class Fact(NamedTuple):
    """Something that truly happens: what is to be told, and until when at the latest."""

    what: str
    kind: str
    names: tuple[str, ...]
    begins_s: float
    within_s: float
    ends_s: float | None = None
    end_within_s: float = 0
    many: int = 1
    """It may be told so often: it comes and goes."""
    maybe: bool = False
    """It may as well not be told."""


def name(number: int) -> str:
    return f"ECCTH{number:02d}"


def names(first: int, last: int) -> tuple[str, ...]:
    return tuple(name(number) for number in range(first, last + 1))


class MemoryStore:
    """The part of `Store` that the lookout uses, on a database in memory."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self.connection)

    def change(self, act: Callable[[sqlite3.Connection], Result]) -> Result:
        with atomic(self.connection):
            return act(self.connection)

    def look(self, act: Callable[[sqlite3.Connection], Result]) -> Result:
        return act(self.connection)

    def archive(self) -> "MemoryStore":
        """Give the next file, with what the archive carries over."""
        new = MemoryStore()
        for table, columns_and_rows in CARRIED.items():
            rows = self.connection.execute(f"SELECT {columns_and_rows}")
            places = ", ".join("?" * len(rows.description))
            new.connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
        self.connection.close()
        return new


Act = Callable[[Measurement, float], Measurement | None]


class Effect(NamedTuple):
    """What happens to the readings of some sensors for a time; an act gives None where nothing is sent."""

    names: frozenset[str]
    begins_s: float
    ends_s: float
    act: Act


@dataclass
class Script:
    """The year as it truly was."""

    facts: list[Fact] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    restarts_s: list[float] = field(default_factory=list)
    kills_s: list[float] = field(default_factory=list)
    archives_s: list[float] = field(default_factory=list)
    off_s: list[tuple[float, float]] = field(default_factory=list)
    """The server has no power."""
    broker_s: list[tuple[float, float]] = field(default_factory=list)
    """The broker can't be reached."""
    mail_s: list[tuple[float, float]] = field(default_factory=list)
    """The mail server can't be reached."""
    jumps_s: list[tuple[float, float]] = field(default_factory=list)
    """When the clock jumps, and by how many seconds."""
    disk_s: tuple[float, float] = (0, 0)
    garbage_s: tuple[float, float] = (0, 0)
    flood_s: float | None = None
    on_change: tuple[str, ...] = ()
    """Sensors that send when something has changed, or after hours."""

    def happens(self, who: tuple[str, ...], begins_s: float, ends_s: float, act: Act) -> None:
        self.effects.append(Effect(frozenset(who), begins_s, ends_s, act))

    def silence(self, what: str, who: tuple[str, ...], begins_s: float, hours: float, **more: object) -> None:
        """Let some be silent, and expect that each is told of, all in one mail, and their return likewise."""
        ends_s = begins_s + at(0, hours)
        self.happens(who, begins_s, ends_s, lambda _reading, _at_s: None)
        fact = Fact(what, "silent", who, begins_s, 52 * MINUTE_S, ends_s, 30 * MINUTE_S)
        self.facts.append(fact._replace(**more))  # type: ignore[arg-type]


def script() -> Script:
    """Give the year."""
    year = Script()
    events = (_sensors, _network, _rooms, _batteries_and_boards, _on_change, _stack)
    for write in events:
        write(year)
    return year


def _on_change(year: Script) -> None:
    """Let eight sensors send on change, and some of them fall silent.

    In a quiet week all their gaps are the longest one, and three of these have to be missing.
    """
    year.on_change = names(23, 30)
    patience_s, return_s = at(0, 3 * LONGEST_H + 1), at(0, LONGEST_H + 0.5)
    for what, who, day, hours in (
        ("A Zigbee sensor silent for 3 days", name(26), 33, 72),
        ("A Zigbee sensor silent for a night and a day", name(27), 90.9, 30),
        ("A Zigbee sensor silent over a restart, a kill and an archive", name(23), 179.8, 40),
        ("A Zigbee sensor silent while the server has no power", name(24), 131.5, 90),
    ):
        late_s = at(2.3) if "no power" in what else 0.0
        year.silence(what, (who,), at(day), hours, within_s=patience_s + late_s, end_within_s=return_s)
    year.silence(
        "The Zigbee coordinator is unplugged for 2 days",
        year.on_change,
        at(60),
        48,
        within_s=patience_s,
        end_within_s=return_s,
        many=len(year.on_change),
    )
    # A short pause is an ordinary one: not to be told.
    for day in range(40, 58, 3):
        year.happens((name(25),), at(day, 11), at(day, 14), lambda _reading, _at_s: None)


LONGEST_H = 4
"""After so many hours a sensor sends even if nothing has changed."""
_CHANGE_F, _CHANGE_PERCENT = 0.9, 3.0


def quiet() -> Script:
    """Give a year in which nothing happens but batteries and a new installation."""
    year = Script()
    year.facts.append(Fact("A new installation", "new", names(1, SENSORS), 0, 90 * MINUTE_S))
    return year


def _sensors(year: Script) -> None:
    year.facts.append(Fact("A new installation: 30 sensors", "new", names(1, SENSORS), 0, 90 * MINUTE_S))
    year.silence("A sensor silent for 5 hours", (name(1),), at(20, 3), 5)
    year.silence("A sensor silent for 40 minutes", (name(2),), at(24, 9), 0.75)
    year.silence("A sensor silent for 9 days: reminders are due", (name(3),), at(30), 9 * 24)
    year.silence("Silent over a restart, a kill and an archive", (name(4),), at(27, 6), 14)
    year.restarts_s += [at(27, 6.3), at(27, 9), at(27, 19.9)]
    year.kills_s += [at(27, 6.5), at(27, 12)]
    year.archives_s.append(at(27, 15))
    hourly = (name(5),)
    year.happens(hourly, at(50), at(80), lambda reading, at_s: reading if at_s % HOUR_S < STEP_S else None)
    year.facts.append(
        Fact(
            "A sensor that changes to an hourly interval",
            "silent",
            hourly,
            at(50),
            at(1),
            at(50),
            at(1),
            4,
            maybe=True,
        )
    )
    year.silence(
        "Silent for 9 hours, with an interval of an hour",
        hourly,
        at(70),
        9,
        within_s=at(0, 4.2),
        end_within_s=at(0, 1.4),
    )
    flapping = (name(6),)
    year.happens(flapping, at(31), at(32), lambda reading, at_s: None if at_s % 7200 < 3000 else reading)
    year.facts.append(Fact("Comes and goes for a day", "silent", flapping, at(31), at(1), at(32), at(2), 3))


def _network(year: Script) -> None:
    year.silence("A dead access point: 12 sensors, one mail", names(11, 22), at(26, 2), 9)
    everybody = names(1, SENSORS)
    for what, day, hours in (
        ("No power at the access points", 110, 4),
        ("Again, at the clock change", 83, 6),
    ):
        begins_s, ends_s = at(day, 20), at(day, 20 + hours)
        year.happens(everybody, begins_s, ends_s, lambda _reading, _at_s: None)
        year.facts.append(
            Fact(f"{what}: all silent", "all_silent", ("",), begins_s, 24 * MINUTE_S, ends_s, 5 * MINUTE_S)
        )
    begins_s, ends_s = at(120, 10), at(120, 13)
    year.broker_s.append((begins_s, ends_s))
    year.facts.append(
        Fact(
            "The broker is away for 3 hours",
            "all_silent",
            ("",),
            begins_s,
            24 * MINUTE_S,
            ends_s,
            5 * MINUTE_S,
        )
    )
    year.broker_s += [(at(121, hour), at(121, hour + 0.2)) for hour in range(0, 24, 2)]
    year.off_s.append((at(130, 14), at(130, 20)))
    year.off_s.append((at(131, 14), at(133, 20)))
    year.silence("Died while the server had no power", (name(8),), at(131, 15), 72, within_s=at(2, 5.6))
    year.restarts_s += [at(140, hour / 3) for hour in range(72)]
    year.silence("Silent while the listener starts anew every 20 minutes", (name(9),), at(140, 5), 6)
    year.silence("Silent while mail is down for a day", (name(10),), at(150, 8), 4)
    year.mail_s.append((at(150, 6), at(151, 6)))


def _cooled(to_f: float) -> Act:
    return lambda reading, _at_s: reading._replace(temperature_f=min(reading.temperature_f, to_f))


def _rooms(year: Script) -> None:
    nave = (name(2),)
    year.happens(nave, at(18, 22), at(19, 7), _cooled(36.0))
    year.facts.append(
        Fact("A cold night in the nave", "too_cold", nave, at(18, 22), at(0, 4.5), at(19, 7), at(0, 1))
    )
    year.happens(nave, at(21, 3), at(21, 6), _cooled(36.0))  # A door: not to be told.
    library = (name(12),)
    year.happens(library, at(160), at(161), lambda reading, _at_s: reading._replace(humidity_percent=95.0))
    year.facts.append(
        Fact("A leak in the library", "too_damp", library, at(160), at(0, 6.6), at(161), at(0, 1))
    )
    year.facts.append(Fact("  where 95 % stands still in it", "frozen", library, at(160), at(1), maybe=True))


def _batteries_and_boards(year: Script) -> None:
    flat = (name(14),)
    empties_s, dead_s, new_s = at(170), at(180), at(182)

    def drain(reading: Measurement, at_s: float) -> Measurement | None:
        if at_s >= dead_s:
            return None
        percent = 45 - 45 * (at_s - empties_s) / (dead_s - empties_s)
        return reading._replace(battery_percent=percent, battery_v=2.1 + 0.014 * percent)

    year.happens(flat, empties_s, new_s, drain)
    year.facts.append(Fact(FLAT, "battery_low", flat, at(175.5), at(1), new_s, at(0, 1)))
    year.facts.append(
        Fact("  and the sensor dies of it", "silent", flat, dead_s, 52 * MINUTE_S, new_s, 30 * MINUTE_S)
    )
    frozen = (name(15),)
    held: list[Measurement] = []

    def freeze(reading: Measurement, _at_s: float) -> Measurement:
        held.append(reading)
        return held[0]._replace(rssi_dbm=reading.rssi_dbm)

    year.happens(frozen, at(190), at(191), freeze)
    year.facts.append(Fact("A frozen sensor", "frozen", frozen, at(190), at(0, 6.5), at(191), 30 * MINUTE_S))
    weak = (name(16),)
    year.happens(
        weak,
        at(200),
        at(205),
        lambda reading, at_s: None if random_fraction(int(at_s), 7) < 0.2 else reading._replace(rssi_dbm=-89),
    )
    year.facts.append(
        Fact(
            "A weak signal for 5 days, a fifth lost",
            "weak_signal",
            weak,
            at(200),
            at(0, 8),
            at(205),
            at(0, 8),
        )
    )
    year.facts.append(
        Fact("  which may make it silent", "silent", weak, at(200), at(5), at(200), at(5.1), 6, maybe=True)
    )
    spiky = (name(17),)
    year.happens(
        spiky,
        at(210),
        at(211),
        lambda reading, at_s: reading._replace(temperature_f=185.0) if at_s // STEP_S % 5 == 0 else reading,
    )
    year.facts.append(
        Fact("A probe that tells 185 °F now and then", "jumps", spiky, at(210), at(0, 4), at(211), at(1, 2))
    )
    double = (name(18),)
    year.happens(
        double,
        at(215),
        at(217),
        lambda reading, at_s: reading._replace(mac="98:F4:AB:00:00:01") if at_s // STEP_S % 2 else reading,
    )
    year.facts.append(
        Fact("Two boards under one name", "two_boards", double, at(215), at(0, 3), at(217), at(1, 2))
    )
    moved = (name(19),)
    year.happens(moved, at(220), at(999), lambda reading, _at_s: reading._replace(location="Tower"))
    year.facts.append(Fact("A sensor is carried to the tower", "moved", moved, at(220), at(0, 1)))


def _stack(year: Script) -> None:
    year.jumps_s = [
        (at(28, 1), 2 * HOUR_S),
        (at(29, 1), -2 * HOUR_S),
        (at(240), 90 * DAY_S),
        (at(240, 5), -90 * DAY_S),
    ]
    year.facts += [
        Fact(f"The clock jumps by {by_s / HOUR_S:+.0f} h", "clock", ("",), at_s, 70 * MINUTE_S)
        for at_s, by_s in year.jumps_s
    ]
    year.silence("Silent while the clock jumps", (name(20),), at(239, 20), 12)
    year.disk_s = (at(250), at(290))
    year.facts.append(Fact("The disk fills by 2 GB a day", "disk", ("",), at(272), at(14), at(290), at(0, 1)))
    year.garbage_s = (at(300), at(302))
    year.facts.append(
        Fact("A board that sends garbage", "quarantine", ("",), at(300), at(0, 5), at(302), at(1, 1))
    )
    year.flood_s = at(310)
    year.facts.append(Fact("3,000 invented names: one count", "new_many", ("",), at(310), at(0, 2)))
    year.restarts_s += [at(day, 5.3) for day in range(2, 364, 11)]
    year.kills_s += [at(day, 17.1) for day in range(5, 364, 31)]
    year.archives_s += [at(180, 12), at(300, 12)]


class World:
    """Lets the year pass."""

    def __init__(self, year: Script, folder: Path, days: float = 365) -> None:
        self.year, self.days = year, days
        (folder / "limits.ini").write_text(LIMITS)
        (folder / "mqtt").write_text("sensor,password")
        given = {
            "limits_file_path": "limits.ini",
            "last_notice_file_path": "last",
            "database_file_path": "db",
        }
        paths: dict[str, object] = {setting: folder / file for setting, file in given.items()}
        self.settings: Settings = load(paths | {"automatic_backup": "no"})
        self.store = MemoryStore()
        self.store.change(lambda connection: outbox.set_channels(connection, ["you@example.org"]))
        scripted = {who for fact in year.facts if fact.what == FLAT for who in fact.names}
        self.boards = [
            board._replace(battery_life_s=1e10) if board.name in scripted else board
            for board in create_devices(SENSORS)
        ]
        self.turns: list[list[Device]] = [self.boards[phase::PHASES] for phase in range(PHASES)]
        self.now_s, self.jump_s = 0.0, 0.0
        self.started: Now | None = None
        self.monitor: Monitor | None = None
        self.occasions: dict[int, tuple[float, Notification]] = {}
        self.sent: Counter[int] = Counter()
        self.recent: dict[str, tuple[int, Measurement]] = {}
        self.low: dict[str, float] = {}
        self.reported: dict[str, tuple[float, Measurement]] = {}
        self.on_change_sent = 0
        self.lost = 0

    def wall_us(self) -> int:
        return START_US + int((self.now_s + self.jump_s) * US)

    def moment(self) -> Now:
        if self.started is None:
            self.started = Now(self.wall_us(), int(self.now_s * US))
        since_us = int(self.now_s * US) - self.started.steady_us
        return Now(self.wall_us(), self.started.wall_us + since_us)

    def start(self) -> Monitor:
        self.started = None
        monitor = _SimulatedMonitor(self.settings, cast("Store", self.store), ZONE, self.moment(), self.post)
        monitor.world = self
        return monitor

    def stop(self, *, killed: bool = False) -> None:
        if self.monitor is None:
            return
        if not killed:
            self.monitor.close(self.moment())
        self.monitor = None
        with atomic(self.store.connection):  # As the listener itself stores each.
            for at_us, reading in self.recent.values():
                row = (utc_text(at_us), *reading[:7])
                self.store.connection.execute(
                    "INSERT OR IGNORE INTO ECCTempHum VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row
                )

    def post(self, connection: Connection, notification: Notification) -> None:
        outbox.add(connection, message.compose(notification, ZONE), notification.at_us)
        number = connection.execute("SELECT max(number) FROM ECCMail").fetchone()[0]
        self.occasions[number] = (self.now_s, notification)

    def send(self) -> None:
        """Do what the mail thread does."""
        is_down = _within(self.now_s, self.year.mail_s)
        connection = self.store.connection
        for due in outbox.due(connection, self.wall_us()):
            fault = SendFault("the mail server can't be reached", "wait") if is_down else None
            outbox.record(connection, Outcome(due.channel, due.number, fault), self.wall_us())
            if fault is None:
                self.sent[due.number] += 1

    def run(self) -> None:
        effects = {
            board.name: [one for one in self.year.effects if board.name in one.names] for board in self.boards
        }
        while self.now_s < self.days * DAY_S:
            self.now_s += TICK_S
            if self._is_off():
                continue
            faults = Faults()
            if _within(self.now_s, self.year.broker_s):
                faults = Faults(broker="broker 127.0.0.1:1883 can't be reached: Connection refused")
            else:
                self._readings(effects)
            assert self.monitor
            self.monitor.tick(self.moment(), faults)
            if len(self.sent) < len(self.occasions):
                self.send()

    def _is_off(self) -> bool:
        before_s = self.now_s - TICK_S
        self.jump_s += sum(by_s for at_s, by_s in self.year.jumps_s if before_s < at_s <= self.now_s)
        if any(before_s < at_s <= self.now_s for at_s in self.year.kills_s):
            self.stop(killed=True)
        if any(before_s < at_s <= self.now_s for at_s in (*self.year.restarts_s, *self.year.archives_s)):
            self.stop()
        if any(before_s < at_s <= self.now_s for at_s in self.year.archives_s):
            self.store = self.store.archive()
        is_off = _within(self.now_s, self.year.off_s)
        if is_off:
            self.stop(killed=True)
        elif self.monitor is None:
            self.monitor = self.start()
        return is_off

    def _readings(self, effects: dict[str, list[Effect]]) -> None:
        arrivals = [Arrival(self.wall_us(), reading.as_reading()) for reading in self._sent(effects)]
        rejected = []
        if _within(self.now_s, [self.year.garbage_s]) and self.now_s % STEP_S == 0:
            rejected.append(Rejected(self.wall_us(), "ECCTempHum", b"?", "field2 (temperature) is missing"))
        if self.year.flood_s is not None and 0 <= self.now_s - self.year.flood_s < TICK_S:
            sample = measure(self.boards[0], START)
            arrivals += [
                Arrival(self.wall_us(), sample._replace(sensor_name=f"X{number}").as_reading())
                for number in range(3_000)
            ]
        assert self.monitor
        self.monitor.note(Burst(1, arrivals, rejected, []))

    def _sent(self, effects: dict[str, list[Effect]]) -> Iterator[Measurement]:
        above = weather_at(START_US / US + self.now_s)
        for board in self.turns[int(self.now_s) % STEP_S // TICK_S]:
            reading: Measurement | None = measure_in(board, above)
            for one in effects[board.name]:
                if reading is not None and one.begins_s <= self.now_s < one.ends_s:
                    reading = one.act(reading, self.now_s)
            if reading is None:
                continue
            if board.name in self.year.on_change:
                if self._has_changed(reading):
                    self._follow_battery(board, reading)
                    reading = reading._replace(is_on_change=True)
                    self.recent[board.name] = (self.wall_us(), reading)
                    yield reading
                continue
            if random_fraction(board.key, int(self.now_s), 99) < LOST:
                self.lost += 1
                continue
            self._follow_battery(board, reading)
            self.recent[board.name] = (self.wall_us(), reading)
            yield reading

    def _has_changed(self, reading: Measurement) -> bool:
        """Return whether a sensor that sends on change sends now."""
        at_s, before = self.reported.get(reading.sensor_name, (0.0, None))
        is_sent = (
            before is None
            or self.now_s - at_s >= LONGEST_H * HOUR_S
            or abs(reading.temperature_f - before.temperature_f) >= _CHANGE_F
            or abs(reading.humidity_percent - before.humidity_percent) >= _CHANGE_PERCENT
        )
        if is_sent:
            self.reported[reading.sensor_name] = self.now_s, reading
            self.on_change_sent += 1
        return is_sent

    def _follow_battery(self, board: Device, reading: Measurement) -> None:
        """Put down when a battery truly got low, and when it was replaced."""
        is_scripted = any(fact.what == FLAT and board.name in fact.names for fact in self.year.facts)
        if reading.battery_percent < 20:
            self.low.setdefault(board.name, self.now_s)
        elif reading.battery_percent > 50 and board.name in self.low and not is_scripted:
            self.battery_fact(board.name, self.low.pop(board.name), self.now_s)

    def put_down_batteries(self) -> None:
        """Put down which batteries are low at the end."""
        scripted = {who for fact in self.year.facts if fact.what == FLAT for who in fact.names}
        for who, begins_s in self.low.items():
            if who not in scripted:
                self.battery_fact(who, begins_s, None)

    def battery_fact(self, who: str, begins_s: float, ends_s: float | None) -> None:
        fact = Fact("Batteries that wear out by themselves", "battery_low", (who,), begins_s, at(3))
        end_within_s = at(0, 2 * LONGEST_H if who in self.year.on_change else 1.5)
        self.year.facts.append(fact._replace(ends_s=ends_s, end_within_s=end_within_s))


class _SimulatedMonitor(Monitor):
    world: World

    def _update_environment(self) -> None:
        super()._update_environment()
        free, total = 400e9, 500e9
        begins_s, ends_s = self.world.year.disk_s
        if begins_s <= self.world.now_s < ends_s:
            free = 80e9 - 2e9 * (self.world.now_s - begins_s) / DAY_S
        self._environment = self._environment._replace(free_bytes=int(free), total_bytes=int(total))


def _within(now_s: float, times_s: list[tuple[float, float]]) -> bool:
    return any(begins_s <= now_s < ends_s for begins_s, ends_s in times_s)


@dataclass
class Line:
    """What became of one kind of event: the table's line."""

    what: str
    happened: int = 0
    mails: int = 0
    told: int = 0
    missed: int = 0
    false: int = 0
    doubled: int = 0


class Told(NamedTuple):
    """What one letter told of one notice."""

    letter: int
    at_s: float
    state: str
    kind: str
    subject: str
    headline: str


def judge(world: World) -> list[Line]:
    """Hold what was told against what was true."""
    world.put_down_batteries()
    told = [
        Told(number, at_s, one.state, one.notice.kind, one.notice.subject, one.words.headline)
        for number, (at_s, notification) in world.occasions.items()
        for one in notification.entries
        for _ in range(world.sent[number])
    ]
    reminders = _reminders(told, world.settings.last_notice_silence_time.total_seconds())
    left = {index: one for index, one in enumerate(told) if one.state != "reminder"}
    lines: dict[str, Line] = {}
    for fact in world.year.facts:
        _judge_fact(fact, left, lines.setdefault(fact.what, Line(fact.what)), world.now_s)
    for one in left.values():
        print(f"  false: day {one.at_s / DAY_S:.2f}: {one.state}: {one.kind}: {one.headline}")
    false = Line("Told, though nothing of the kind was true", false=len(left))
    counts = [world.sent[number] for number in world.occasions]
    unsent = Line("Letters never sent, or twice")
    unsent.missed, unsent.doubled = counts.count(0), sum(count > 1 for count in counts)
    return [*lines.values(), reminders, unsent, false]


def _reminders(told: list[Told], mute_s: float) -> Line:
    """Count the reminders; one that comes before its time is one too many."""
    line = Line("Reminders of what goes on")
    before_s: dict[tuple[str, str], float] = {}
    letters_of_it = set()
    for one in told:
        if one.state == "reminder":
            line.told += 1
            letters_of_it.add(one.letter)
            line.doubled += one.at_s - before_s.get((one.kind, one.subject), 0.0) < mute_s
        before_s[one.kind, one.subject] = one.at_s
    line.mails = len(letters_of_it)
    return line


def _judge_fact(fact: Fact, left: dict[int, Told], line: Line, until_s: float) -> None:
    """Take from what is `left` what tells of a fact, and count it."""
    line.happened += 1
    windows = [("new", fact.begins_s, fact.begins_s + fact.within_s)]
    if fact.ends_s is not None:
        # What comes and goes is over many times.
        begins_s = fact.begins_s if fact.many > 1 else fact.ends_s
        windows.append(("resolved", begins_s, fact.ends_s + fact.end_within_s))
    for state, begins_s, ends_s in windows:
        if ends_s > until_s:
            continue
        letters_of_it: set[int] = set()
        for who in fact.names:
            found = [
                index
                for index, one in left.items()
                if (one.state, one.kind, one.subject) == (state, fact.kind, who)
                and begins_s <= one.at_s <= ends_s
            ]
            letters_of_it |= {left.pop(index).letter for index in found}
            line.told += bool(found)
            line.missed += not found and not fact.maybe
            line.doubled += max(0, len(found) - fact.many)
        line.mails += len(letters_of_it)
        line.doubled += max(0, len(letters_of_it) - fact.many)


def table(lines: list[Line]) -> str:
    """Give the table, a line for each event, and all of it."""
    titles = ("happened", "mails", "told", "missed", "false", "doubled")
    rows = [[one.what, *(str(getattr(one, title)) for title in titles)] for one in (*lines, total(lines))]
    return "\n".join(
        f"{what:<58}" + "".join(f"{count:>9}" for count in counts)
        for what, *counts in (["event", *titles], *rows)
    )


def total(lines: list[Line]) -> Line:
    counts = ("happened", "mails", "told", "missed", "false", "doubled")
    return Line("All", *(sum(getattr(one, count) for one in lines) for count in counts))


def simulate(year: Script, days: float = 365) -> tuple[World, list[Line]]:
    with tempfile.TemporaryDirectory() as folder:
        world = World(year, Path(folder), days)
        world.run()
        world.store.connection.close()
    return world, judge(world)


if __name__ == "__main__":
    print(table(simulate(script())[1]))
