"""Who keeps count: a publisher that notes what the broker has taken, and the comparison with the rows."""

import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ecc_listener.history.query import History
from ecc_listener.storage.connection import connect_readonly
from support.brokers import OFFICE, PASSWORD, USERNAME, Mosquitto, Mosquitto21, until
from support.listeners import Listener

CACHE = Path(__file__).parents[3] / ".cache"


def numbered(number: int, sensors: int = 20) -> bytes:
    """Make a reading that no other is equal to: its number stands in the temperature."""
    name = b"ECCTH%02d" % (number % sensors)
    temperature = b"%.6f" % (number / 1e5)
    return OFFICE.replace(b"73.45", temperature).replace(b"ECCTH01", name)


class Queried(Protocol):
    """Whose database can be asked: a listener's or a stack's."""

    def query(self, sql: str) -> list[tuple[object, ...]]: ...


class AllFiles(NamedTuple):
    """A live file and its archives."""

    database: Path

    def query(self, sql: str) -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        for path in {self.database, *(file.path for file in History(self.database).files())}:
            connection = connect_readonly(path)
            rows += connection.execute(sql).fetchall()
            connection.close()
        return rows


class Outcome(NamedTuple):
    """What came of a fault: how often it was done, and what became of all that was acknowledged."""

    cycles: int
    acknowledged: int
    lost: int
    doubled: int
    remark: str = ""

    def is_good(self) -> bool:
        """Nothing lost, nothing doubled, and something at stake in every cycle."""
        return self.lost == 0 and self.doubled == 0 and self.acknowledged >= self.cycles


class Ledger:
    """Publishes numbered readings with QoS 1 from a thread, and notes which of them were acknowledged.

    After a lost connection it publishes again what was not, as a publisher has to do. Those may stand in two
    rows, since the broker may have taken both; so they are not counted as doubled.
    """

    def __init__(
        self,
        port: int,
        *,
        per_second: float,
        sensors: int = 20,
        account: tuple[str, str] = (USERNAME, PASSWORD),
    ) -> None:
        self.acknowledged: set[int] = set()
        self.uncertain: set[int] = set()
        self._port = port
        self._per_second = per_second
        self._sensors = sensors
        self._account = account
        self._last = 0
        self._waiting: dict[int, int] = {}  # packet id -> number
        self._answers: deque[int] = deque()  # packet ids, filled by paho's thread
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self.acknowledged)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the publisher hangs"

    def _run(self) -> None:
        while not self._stop.is_set():
            client = mqtt.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
            client.username_pw_set(*self._account)
            client.max_inflight_messages_set(100)
            client.on_publish = lambda *given: self._answers.append(given[2])
            try:
                client.connect("127.0.0.1", self._port, keepalive=10)
                client.loop_start()
                until(client.is_connected, 5)
                self._publish(client)
            except (OSError, AssertionError):
                time.sleep(0.05)  # The broker is away.
            client.disconnect()
            client.loop_stop()
            self._settle()
            # The broker may have taken these all the same.
            self.uncertain |= set(self._waiting.values())
            self._waiting.clear()

    def _publish(self, client: mqtt.Client) -> None:
        for number in sorted(self.uncertain - self.acknowledged):
            self._send(client, number)
        began_s, first = time.monotonic(), self._last
        while not self._stop.is_set() and client.is_connected():
            # As many as are due by now: a busy machine gives no turn each millisecond.
            while self._last - first < self._per_second * (time.monotonic() - began_s):
                self._last += 1
                self._send(client, self._last)
            self._stop.wait(0.002)
        end_s = time.monotonic() + 5
        while self._waiting and client.is_connected() and time.monotonic() < end_s:
            time.sleep(0.01)
            self._settle()

    def _send(self, client: mqtt.Client, number: int) -> None:
        payload = numbered(number, self._sensors)
        self._waiting[client.publish("ECCTempHum", payload, qos=1).mid] = number
        self._settle()

    def _settle(self) -> None:
        while self._answers:
            self.acknowledged.add(self._waiting.pop(self._answers.popleft()))

    def wait_beyond(self, acknowledged: int) -> None:
        """Wait until the broker takes readings again."""
        until(lambda: len(self.acknowledged) > acknowledged, 30)

    def compare(self, listener: Queried, cycles: int, remark: str = "", wait_s: float = 60) -> Outcome:
        """Wait until every acknowledged reading is there, or for so long, and count."""
        end_s = time.monotonic() + wait_s
        while (rows := self._rows(listener)) is not None and time.monotonic() < end_s:
            if rows.keys() >= self.acknowledged:
                break
            time.sleep(0.2)
        time.sleep(1)  # What is sent twice comes at once.
        rows = self._rows(listener)
        lost = len(self.acknowledged - rows.keys())
        doubled = sum(rows.get(number, 0) > 1 for number in self.acknowledged - self.uncertain)
        return Outcome(cycles, len(self.acknowledged), lost, doubled, remark)

    def _rows(self, listener: Queried) -> dict[int, int]:
        rows = listener.query("SELECT round(temperatureF * 1e5), count(*) FROM ECCTempHum GROUP BY 1")
        counts: Counter[int] = Counter()
        for number, count in rows:
            counts[int(float(str(number)))] += int(str(count))
        return counts


@contextmanager
def folder() -> Iterator[Path]:
    """Lend a folder below the project, where containers can have it mounted."""
    CACHE.mkdir(exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="faults-", dir=CACHE))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def broker_21(
    where: Path, replace: tuple[str, str] = ("", ""), *, tls: dict[str, object] | None = None
) -> Iterator[Mosquitto21]:
    """Lend the stack's broker; `tls` gets the settings with which a listener reaches it over TLS."""
    made = Mosquitto21(where / "broker", replace=replace)
    if tls is not None:
        tls |= made.add_tls()
    made.start()
    try:
        yield made
    finally:
        made.remove()


@contextmanager
def listening(
    where: Path,
    broker: Mosquitto,
    *,
    database: Path | None = None,
    start: bool = True,
    settings: dict[str, object] | None = None,
) -> Iterator[Listener]:
    """Lend a listener that runs, and end it whatever state it is in."""
    path = {"database_file_path": database} if database else {}
    made = Listener(where / "listener", broker.port, **(settings or {}), **path)
    if database:
        made.database = database
    if start:
        made.start()
    try:
        yield made
    finally:
        made.end()


def sh(*words: object) -> str:
    """Run a command that must work; give what it says."""
    done = subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
