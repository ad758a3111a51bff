"""Each fault once: `fault(cycles) -> Outcome`. A control is the same with one thing deliberately wrong."""

import os
import random
import signal
import sqlite3
import sys
import time
from functools import partial
from pathlib import Path
from threading import Thread

from ecc_listener.history.query import History
from ecc_listener.readings.formats import Decoder
from ecc_listener.readings.reading import NotAReading
from faults.disks import disk
from faults.ledger import AllFiles, Ledger, Outcome, broker_21, folder, listening, numbered, sh
from projects import Project, project
from support.brokers import OFFICE, Publisher, until
from support.foreign_checks import check
from support.listeners import Listener


def foreign_files(cycles: int) -> Outcome:
    """A database that somebody has changed, through the listener and every verb."""
    rows = lost = 0
    for seed in range(cycles):
        with folder() as where:
            count, problems = check(where, seed)
        rows += count
        lost += len(problems)
        for problem in problems:
            print(problem, file=sys.stderr)
    # An empty file has no row at stake.
    return Outcome(cycles, max(rows, cycles), lost, 0, "lost: number of wrong results")


def listener_killed(cycles: int) -> Outcome:
    """kill -9 of the listener at random moments under load."""
    return _listener_ended(cycles, signal.SIGKILL)


def listener_stopped(cycles: int) -> Outcome:
    """SIGTERM of the listener under load."""
    return _listener_ended(cycles, signal.SIGTERM)


def listener_killed_tls(cycles: int) -> Outcome:
    """kill -9 of the listener at random moments under load, over TLS."""
    return _listener_ended(cycles, signal.SIGKILL, is_tls=True)


def _listener_ended(cycles: int, number: int, *, is_tls: bool = False) -> Outcome:
    tls: dict[str, object] | None = {} if is_tls else None
    with (
        folder() as where,
        broker_21(where, tls=tls) as broker,
        listening(where, broker, settings=tls) as listener,
    ):
        with Ledger(broker.port, per_second=600) as ledger:
            for _ in range(cycles):
                time.sleep(random.uniform(0.05, 0.6))
                listener.stop(number)
                listener.start(connected=False)
                until(listener.is_connected, 30)
        return ledger.compare(listener, cycles)


def archived(cycles: int) -> Outcome:
    """kill -9 of the listener while its database gets full and is archived every second or two."""
    with folder() as where, broker_21(where) as broker:
        with listening(where, broker, start=False) as listener:
            listener.environment["ECC_MAX_DATABASE_SIZE"] = "100000"
            listener.start()
            with Ledger(broker.port, per_second=600) as ledger:
                for _ in range(cycles):
                    time.sleep(random.uniform(0.05, 4))
                    listener.stop(signal.SIGKILL)
                    listener.start()
            outcome = ledger.compare(AllFiles(listener.database), cycles)
            files = len(History(listener.database).files())
            return outcome._replace(remark=f"rows in {files} files")


def container_restarted(cycles: int) -> Outcome:
    """docker restart of the stack's listener under load."""
    with project(1) as stack:
        stack.choose_ports()
        up = stack.run("make", "up")
        assert up.returncode == 0, up.stdout + up.stderr
        return restart_container(stack, cycles)


def restart_container(stack: Project, cycles: int) -> Outcome:
    """Restart the listener's container of a stack that runs, under load."""
    container = stack.container("listener")
    with Ledger(stack.port, per_second=600, account=stack.account()) as ledger:
        for _ in range(cycles):
            time.sleep(random.uniform(0.5, 2))
            stack.run("docker", "restart", container)
            rows = stack.count()
            until(partial(_has_more, stack, rows), 60)
    return ledger.compare(stack, cycles)


def _has_more(stack: Project, rows: int) -> bool:
    return stack.count() > rows


def control_acknowledged_early(cycles: int) -> Outcome:
    """Control: a listener that acknowledges before it stores, killed the same way, must lose."""
    early = (
        "import sys; from ecc_listener import cli, service\n"
        "def early(self, honest=service.Service.commit_and_acknowledge):\n"
        "    if self.pending: self.session.acknowledge(self.pending[1]); import time; time.sleep(0.02)\n"
        "    honest(self)\n"
        "service.Service.commit_and_acknowledge = early; sys.exit(cli.main([]))"
    )
    return _killed_program(cycles, early)


def control_not_recorded(cycles: int) -> Outcome:
    """Control: a listener that does not record what it stored, killed the same way, must double."""
    forgetful = (
        "import sys, time; from ecc_listener import cli; from ecc_listener.mqtt import deliveries, session\n"
        "deliveries.Deliveries.is_stored = lambda self, packet: False\n"
        "honest = session.Session.acknowledge\n"
        "def late(self, messages): time.sleep(0.02); honest(self, messages)\n"
        "session.Session.acknowledge = late; sys.exit(cli.main([]))"
    )
    return _killed_program(cycles, forgetful)


def _killed_program(cycles: int, program: str) -> Outcome:
    with folder() as where, broker_21(where) as broker, listening(where, broker, start=False) as listener:
        listener.program = ["-c", program]
        listener.start()
        with Ledger(broker.port, per_second=600) as ledger:
            for _ in range(cycles):
                time.sleep(random.uniform(0.2, 0.6))
                listener.stop(signal.SIGKILL)
                listener.start()
        return ledger.compare(listener, cycles, wait_s=5)


def broker_killed(cycles: int) -> Outcome:
    """kill -9 of the broker under load; the publisher repeats what was not acknowledged."""
    return _broker_ended(cycles, signal.SIGKILL)


def broker_restarted(cycles: int) -> Outcome:
    """Graceful restart of the broker under load."""
    return _broker_ended(cycles, signal.SIGTERM)


def both_killed(cycles: int) -> Outcome:
    """Broker and listener killed at the same moment."""
    return _broker_ended(cycles, signal.SIGKILL, both=True)


def control_snapshots(cycles: int) -> Outcome:
    """Control: Mosquitto's own snapshots in place of persist_sqlite must lose when the broker is killed."""
    plugin = "global_plugin /usr/lib/mosquitto_persist_sqlite.so\npersistence_location /mosquitto/data/\n"
    rest = "plugin_opt_sync full\nplugin_opt_flush_period 0\n"
    snapshots = "persistence true\npersistence_location /mosquitto/data/\nautosave_interval 30\n"
    return _broker_ended(cycles, signal.SIGKILL, both=True, replace=(plugin + rest, snapshots))


def _broker_ended(
    cycles: int, number: int, *, both: bool = False, replace: tuple[str, str] = ("", "")
) -> Outcome:
    with folder() as where, broker_21(where, replace) as broker, listening(where, broker) as listener:
        with Ledger(broker.port, per_second=600) as ledger:
            for _ in range(cycles):
                time.sleep(random.uniform(0.3, 0.8))
                ending = Thread(target=listener.stop, args=(number,))
                if both:
                    ending.start()
                broker.stop(number)
                if both:
                    ending.join()
                    listener.start(connected=False)
                broker.start()
                before = len(ledger.acknowledged)
                ledger.wait_beyond(before)
        return ledger.compare(listener, cycles)


def power_cut(cycles: int) -> Outcome:
    """The power goes: the file system under the database stops at once, and is mounted again."""
    return _power_cut(cycles)


def control_power_cut_unsynced(cycles: int) -> Outcome:
    """Control: with synchronous=NORMAL a power cut must lose."""
    return _power_cut(cycles, "PRAGMA synchronous = NORMAL")


def _power_cut(cycles: int, pragma: str | None = None) -> Outcome:
    unsynced = (
        "import sys; from ecc_listener import cli; from ecc_listener.storage import connection, store\n"
        "def connect(path, honest=connection.connect):\n"
        f"    made = honest(path); made.execute({pragma!r}); return made\n"
        "store.connect = connect; sys.exit(cli.main([]))"
    )
    with folder() as where, broker_21(where) as broker, disk(where) as small:
        with listening(where, broker, database=small.mount / "db", start=False) as listener:
            if pragma:
                listener.program = ["-c", unsynced]
            listener.start()
            with Ledger(broker.port, per_second=600) as ledger:
                for _ in range(cycles):
                    time.sleep(random.uniform(0.3, 1.0))
                    # When the power goes, processor and disk stop at one instant. The shutdown of a file
                    # system takes some milliseconds, in which a sync may still succeed and yet be lost.
                    listener.freeze()
                    small.stop()
                    listener.stop(signal.SIGKILL)
                    small.remount()
                    if not pragma:
                        _check_sound(listener)
                    listener.start()
            remark = "" if pragma else "the file was sound each time"
            return ledger.compare(listener, cycles, remark, wait_s=5 if pragma else 60)


def _check_sound(listener: Listener) -> None:
    connection = sqlite3.connect(listener.database)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def disk_full(cycles: int) -> Outcome:
    """The disk under the database gets full, and has room again."""
    with folder() as where, broker_21(where) as broker, disk(where) as small:
        with listening(where, broker, database=small.mount / "db") as listener:
            with Ledger(broker.port, per_second=300) as ledger:
                for _ in range(cycles):
                    small.fill()
                    until(listener.store_fails, 60)
                    small.ballast.unlink()
                    until(lambda: not listener.store_fails(), 30)
            return ledger.compare(listener, cycles)


def read_only(cycles: int) -> Outcome:
    """The file system finds an error and turns read-only, as Linux does; then it is repaired."""
    with folder() as where, broker_21(where) as broker, disk(where) as small:
        with listening(where, broker, database=small.mount / "db") as listener:
            with Ledger(broker.port, per_second=300) as ledger:
                for _ in range(cycles):
                    error = Path(f"/sys/fs/ext4/{Path(small.device).name}/trigger_fs_error")
                    error.write_text("an error for a test")
                    until(listener.store_fails, 30)
                    listener.stop()
                    small.remount()
                    listener.start()
            return ledger.compare(listener, cycles)


def locked(cycles: int) -> Outcome:
    """Another program holds the database for longer than any time-out."""
    with folder() as where, broker_21(where) as broker, listening(where, broker) as listener:
        with Ledger(broker.port, per_second=300) as ledger:
            for _ in range(cycles):
                intruder = sqlite3.connect(listener.database, isolation_level=None)
                until(partial(_locks, intruder))
                until(listener.store_fails, 30)
                time.sleep(120 if cycles > 1 else 5)
                intruder.execute("ROLLBACK")
                intruder.close()
                until(lambda: not listener.store_fails(), 30)
        return ledger.compare(listener, cycles, "held for two minutes" if cycles > 1 else "")


def _locks(intruder: sqlite3.Connection) -> bool:
    try:
        intruder.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


def io_error(cycles: int) -> Outcome:
    """The Nth write or sync of the listener fails, for every N up to that many."""
    calls = "pwrite64,fdatasync,fsync,ftruncate"
    failed = 0
    with folder() as where, broker_21(where) as broker, listening(where, broker, start=False) as listener:
        listener.start()
        with Ledger(broker.port, per_second=100) as ledger:
            for number in range(1, cycles + 1):
                listener.stop()
                inject = f"inject={calls}:error=EIO:when={number}"
                traced = ("strace", "-qq", "-f", "-o", "/dev/null", "-e", f"trace={calls}", "-e", inject)
                listener.start_supervised(traced)
                listener.wait_for_more(20, 30)
                failed += "can't be stored" in listener.log()
                (where / "listener" / "log").unlink()
                assert "strace:" not in (where / "listener" / "stderr").read_text()
        return ledger.compare(listener, cycles, f"{failed} of them met the store at work")


def network_dropping(cycles: int) -> Outcome:
    """The network between broker and listener swallows everything for a while."""
    return _network_cut(cycles, "drop")


def network_resetting(cycles: int) -> Outcome:
    """The network between broker and listener resets every connection for a while."""
    return _network_cut(cycles, "reject with tcp reset")


def network_dropping_tls(cycles: int) -> Outcome:
    """The network swallows everything for a while, over TLS."""
    return _network_cut(cycles, "drop", is_tls=True)


def network_resetting_tls(cycles: int) -> Outcome:
    """The network resets every connection for a while, over TLS."""
    return _network_cut(cycles, "reject with tcp reset", is_tls=True)


def _network_cut(cycles: int, verdict: str, *, is_tls: bool = False) -> Outcome:
    table = f"ecctest{os.getpid()}"
    tls: dict[str, object] | None = {} if is_tls else None
    with (
        folder() as where,
        broker_21(where, tls=tls) as broker,
        listening(where, broker, start=False, settings=tls) as listener,
    ):
        # The listener alone goes to the broker by another address, so that only its way is cut.
        listener.environment["ECC_MQTT_BROKER"] = "127.0.0.2"
        listener.start()
        sh("nft", "add", "table", "inet", table)
        try:
            sh("nft", f"add chain inet {table} out {{ type filter hook output priority 0; }}")
            with Ledger(broker.port, per_second=300) as ledger:
                for _ in range(cycles):
                    time.sleep(random.uniform(0.2, 1.0))
                    for way in ("ip daddr", "ip saddr"):
                        sh("nft", f"add rule inet {table} out {way} 127.0.0.2 meta l4proto tcp {verdict}")
                    time.sleep(random.uniform(1.0, 3.0))
                    sh("nft", "flush", "table", "inet", table)
                    listener.wait_for_more(1, 120)
            return ledger.compare(listener, cycles, wait_s=120)
        finally:
            sh("nft", "delete", "table", "inet", table)


def queued(messages: int) -> Outcome:
    """Very many messages wait at the broker while the listener is away."""
    with folder() as where, broker_21(where) as broker, listening(where, broker) as listener:
        listener.stop()
        with Publisher(broker.port) as publisher:
            for number in range(1, messages + 1):
                publisher.publish(numbered(number))
                publisher.limit(2_000)
        began_s = time.monotonic()
        listener.start(connected=False)
        listener.wait_for(messages, 120)
        return _count(listener, messages, f"stored in {time.monotonic() - began_s:.1f} s, the start included")


def flood(seconds: int) -> Outcome:
    """One sensor sends 1,000 readings a second, while another one stays served."""
    longest_s = 0.0
    with folder() as where, broker_21(where) as broker, listening(where, broker) as listener:
        with Ledger(broker.port, per_second=1_000, sensors=1) as ledger, Publisher(broker.port) as other:
            began_s = time.monotonic()
            for number in range(1, seconds + 1):
                sent_s = time.monotonic()
                other.publish(OFFICE.replace(b"ECCTH01", b"QUIET%d" % number))
                until(partial(listener.query, f"SELECT 1 FROM ECCTempHum WHERE sensorName = 'QUIET{number}'"))
                longest_s = max(longest_s, time.monotonic() - sent_s)
                time.sleep(max(0, began_s + number - time.monotonic()))
            rate = len(ledger.acknowledged) / (time.monotonic() - began_s)
        outcome = ledger.compare(listener, seconds)
    return outcome._replace(remark=f"{rate:.0f}/s; the other sensor waited {1000 * longest_s:.0f} ms at most")


def malformed(messages: int) -> Outcome:
    """Payloads that are no readings, generated, through the broker, with readings between them."""
    chance = random.Random(1)
    readings = 0
    with folder() as where, broker_21(where) as broker, listening(where, broker) as listener:
        with Publisher(broker.port) as publisher:
            for number in range(messages):
                if number % 100 == 0:
                    readings += 1
                    publisher.publish(numbered(readings))
                publisher.publish(garbage(chance))
                publisher.limit(2_000)
        listener.wait_for(readings, 120)
        dropped = listener.query("SELECT coalesce(sum(value), 0) FROM ECCCounter")[0][0]
        kept = listener.count("ECCRejected") + int(str(dropped))
        return _count(listener, readings, f"{kept} of {messages} in the quarantine or counted as dropped")


def garbage(chance: random.Random) -> bytes:
    """Make a payload that is no reading: noise, or the firmware's line with something broken in it."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(200))
    fields = OFFICE.split(b"&")
    values = [b"nan", b"", b"1e999", b"--1", b"0x10", b"NULL", b"1;DROP", "٣".encode(), b"%ff", b"1_0", b"\0"]
    # One of the two quantities would make it a reading, and so would any name.
    if chance.random() < 0.8:
        fields[1], fields[2] = b"field2=" + chance.choice(values), b"field3=" + chance.choice(values)
    else:
        fields[6] = b"field7=" + chance.choice([b"", b"%ff", b"a\0b", b"+", b"\xff"])
    chance.shuffle(fields)
    return b"&".join(fields)


_JSON_TOPICS = {
    "zigbee2mqtt/hall": "zigbee2mqtt/#",
    "tele/attic/SENSOR": "tele/+/SENSOR",
    "ht/events/rpc": "+/events/rpc",
    "cellar/sensor/temperature/state": "+/sensor/+/state",
    "home/gateway/BTtoMQTT/A4C138": "home/+/BTtoMQTT/+",
    "ruuvi/C8:25/D1:02": "ruuvi/#",
}
"""Topics, each with the filter by which its format is known."""


def malformed_json(messages: int) -> Outcome:
    """JSON that is no reading, on a topic of each format, through the broker, with readings between it."""
    chance = random.Random(2)
    filters = ("ECCTempHum", *_JSON_TOPICS.values())
    decoder, topics = Decoder(filters), [*_JSON_TOPICS]
    readings = rejected = 0
    with folder() as where, broker_21(where) as broker:
        settings: dict[str, object] = {"mqtt_topics": ", ".join(filters)}
        with listening(where, broker, settings=settings) as listener, Publisher(broker.port) as publisher:
            for number in range(messages):
                if number % 100 == 0:
                    readings += 1
                    publisher.publish(numbered(readings))
                topic, payload = topics[number % len(topics)], hostile_json(chance)
                try:
                    assert decoder.decode(topic, payload) == (), payload
                except NotAReading as error:
                    assert error.__cause__ is None, payload  # noqa: PT017 - both ways are right
                    rejected += 1
                publisher.publish(payload, topic)
                publisher.limit(2_000)
            # Once this one is stored, so is everything before it.
            readings += 1
            publisher.publish(numbered(readings))
            listener.wait_for(readings, 120)
            dropped = listener.query("SELECT coalesce(sum(value), 0) FROM ECCCounter")[0][0]
            kept = listener.count("ECCRejected") + int(str(dropped))
            remark = (
                f"{kept:,} of {rejected:,} kept as rejected or counted as dropped, the others passed over"
            )
            outcome = _count(listener, readings, remark)
            return outcome._replace(lost=outcome.lost + abs(rejected - kept))


def hostile_json(chance: random.Random) -> bytes:
    """Make JSON that is no reading: broken, deep, long, contradictory, or of the wrong types."""
    value = chance.choice(
        ["NaN", "-Infinity", "1e999", "-500", '"warm"', "[20]", "{}", "null", "true", "1" * 400, '"\\ud800"']
    )
    names = [
        "temperature",
        "humidity",
        "tempc",
        "tem",
        "Temperature",
        "temperature:0",
        "rh",
        "id",
        "",
        "\\u0000",
    ]
    name = chance.choice(names)
    pairs = ",".join(f'"{one}":{value}' for one in chance.sample(names, chance.randrange(1, 6)))
    deep = chance.choice(["[", '{"a":', '[{"temperature":']) * chance.choice([3, 800])
    long = chance.choice(["x", "é", "=", "&"]) * chance.choice([10, 7_000])
    ending = chance.choice([*[b""] * 15, b"}", b"\xff", b"\0x", b",", b"//"])
    texts = [
        value,
        deep,
        f'{{"{name}":20,"{name}":{chance.randrange(99)}}}',
        f"[{{{pairs}}}]",
        f'{{"method":"NotifyStatus","params":{{{pairs}}}}}',
        f'{{"SHT3X":{{{pairs}}},"TempUnit":"C"}}',
        f"{{{pairs}}}",
        f'{{{pairs},"more":"{long}"}}',
    ]
    noise = b"\xfe" + chance.randbytes(chance.randrange(100))
    return chance.choice([noise, *(text.encode() + ending for text in texts)])


def _count(listener: Listener, readings: int, remark: str) -> Outcome:
    rows = listener.query("SELECT round(temperatureF * 1e5), count(*) FROM ECCTempHum GROUP BY 1")
    doubled = sum(int(str(count)) > 1 for _, count in rows)
    return Outcome(1, readings, readings - len(rows), doubled, remark)


def clock_steps(cycles: int) -> Outcome:
    """The clock steps back and forth by hours."""
    with folder() as where, broker_21(where) as broker, listening(where, broker, start=False) as listener:
        stamp = where / "faketime"
        stamp.write_text("+0")
        library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        listener.environment |= {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(stamp),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        listener.start()
        with Ledger(broker.port, per_second=300) as ledger:
            for cycle in range(cycles):
                stamp.write_text(f"{random.choice('+-')}{random.randrange(1, 6)}h" if cycle % 2 else "+0")
                listener.wait_for_more(50, 30)
        spread = listener.query("SELECT count(DISTINCT substr(recordWrittenUTC, 1, 13)) FROM ECCTempHum")[0][
            0
        ]
        return ledger.compare(listener, cycles, f"rows in {spread} different hours")


def standing_still(cycles: int) -> Outcome:
    """The loop stands still: the interpreter ends it, and whoever supervises starts it again."""
    impatient = (
        "import sys, time; from pathlib import Path; from ecc_listener import cli, heartbeat, service\n"
        "heartbeat.HANGING_S = 2\n"
        "honest = service.Service.turn\n"
        "def turn(self):\n"
        "    if Path('stand-still').exists(): Path('stand-still').unlink(); time.sleep(3600)\n"
        "    honest(self)\n"
        "service.Service.turn = turn; sys.exit(cli.main([]))"
    )
    with folder() as where, broker_21(where) as broker, listening(where, broker, start=False) as listener:
        listener.program = ["-c", impatient]
        listener.start()
        with Ledger(broker.port, per_second=300) as ledger:
            for _ in range(cycles):
                (listener.folder / "stand-still").touch()
                assert listener.process
                assert listener.process.wait(20) != 0
                listener.start()
        return ledger.compare(listener, cycles)
