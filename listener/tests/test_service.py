import re
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ecc_listener.history.query import History
from ecc_listener.storage.connection import utc_us
from ecc_listener.storage.database_files import archives
from support.brokers import OFFICE, PASSWORD, USERNAME, Mosquitto, Publisher, free_port, until
from support.listeners import Listener

NEVER_US = utc_us("9999-01-01")
SQL_TIMES = "SELECT recordWrittenUTC FROM ECCTempHum"


def numbered(number: int) -> bytes:
    """A reading that can be told from the others by its temperature, -40.00 to 256.99."""
    return OFFICE.replace(b"73.45", b"%d.%02d" % (number // 100, number % 100))


@pytest.fixture
def listener(tmp_path: Path, broker: Mosquitto) -> Iterator[Listener]:
    made = Listener(tmp_path / "listener", broker.port)
    yield made
    made.end()


def test_a_reading_is_stored_in_both_tables(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    with Publisher(broker.port) as publisher:
        publisher.publish(OFFICE, qos=0)
        until(lambda: listener.count() == 1)
    assert listener.query("SELECT sensorName, temperatureF, apRSSI FROM ECCTempHum") == [
        ("ECCTH01", 73.45, -67)
    ]
    assert listener.query("SELECT location, MACaddress, softwareVersion FROM ECCTempHumSensor") == [
        ("Office", "98:F4:AB:DA:6E:E2", "v03.10")
    ]


def test_what_comes_while_it_is_away_is_stored_once_it_is_back(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    assert listener.stop() == 0
    broker.publish(*(numbered(number) for number in range(500)))
    broker.publish(*(numbered(number) for number in range(500, 600)), qos=0)
    listener.start()
    until(lambda: listener.count() == 600)
    assert set(listener.temperatures().values()) == {1}


def test_equal_readings_stay_as_many_as_were_sent(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    broker.publish(*[OFFICE] * 300)
    until(lambda: listener.count() == 300)


def test_it_listens_to_all_topic_filters_again_after_every_reconnect(
    tmp_path: Path, broker: Mosquitto
) -> None:
    listener = Listener(tmp_path / "listener", broker.port, mqtt_topics="ECCTempHum, house/+/climate")
    listener.start()
    for number in (1, 2):
        broker.publish(numbered(number), topic="ECCTempHum")
        broker.publish(numbered(number + 10), topic="house/attic/climate")
        broker.publish(numbered(number + 20), topic="house/attic/other")
        listener.wait_for(2 * number)
        broker.stop()
        until(lambda: not listener.is_connected())
        broker.start()
        until(listener.is_connected)
    assert listener.stop() == 0


def test_a_frozen_sensor_keeps_its_readings_through_a_restart_of_the_broker(
    broker: Mosquitto, listener: Listener
) -> None:
    listener.start()
    for times in (1, 2, 3):
        # The restarted broker may give the same packet id to the same payload.
        broker.publish(OFFICE)
        listener.wait_for(times)
        broker.stop()
        broker.start()
    broker.publish(OFFICE)
    until(lambda: listener.count() == 4)


def test_a_kill_under_load_neither_loses_nor_doubles(broker: Mosquitto, listener: Listener) -> None:
    sent = 6_000
    listener.start()
    with Publisher(broker.port) as publisher:
        for number in range(sent):
            publisher.publish(numbered(number))
            if number % 2_000 == 1_500:
                listener.stop(signal.SIGKILL)
                listener.start(connected=False)
    until(lambda: listener.count() >= sent, 30)
    until(listener.is_connected)
    stored = listener.temperatures()
    assert len(stored) == sent
    assert set(stored.values()) == {1}


def test_full_databases_become_archives_under_load_and_kills_and_no_row_is_lost_or_doubled(
    tmp_path: Path, broker: Mosquitto
) -> None:
    listener = Listener(tmp_path / "listener", broker.port, max_database_size=200_000)
    history = History(listener.database)
    listener.start()
    for cycle in range(2):
        with Publisher(broker.port) as publisher:
            for number in range(cycle * 3_000, (cycle + 1) * 3_000):
                publisher.publish(numbered(number))
        until(lambda made=cycle + 1: len(archives(listener.database)) >= made, 30)  # type: ignore[misc]
        if cycle % 2:
            listener.stop(signal.SIGKILL)
            listener.start()
    until(lambda: history.count(0, NEVER_US) >= 6_000, 30)
    stored = Counter(row.temperature_f for row in history.readings(None, 0, NEVER_US))
    assert stored == Counter(number / 100 for number in range(6_000))
    assert "The database was full: it is now ECCTempHum-2" in listener.log()
    assert listener.stop() == 0
    listener.end()


def test_a_broker_that_forgot_the_session_is_gone_on_with(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    broker.publish(OFFICE)
    until(lambda: listener.count() == 1)
    broker.stop()
    (broker.folder / "mosquitto.db").unlink()
    broker.start()
    until(lambda: "does not know the session" in listener.log().split("Connection lost", 1)[-1])
    until(lambda: "The broker has forgotten the session" in listener.log())
    broker.publish(OFFICE)
    until(lambda: listener.count() == 2)


def test_a_locked_database_costs_nothing_and_is_told_once(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    intruder = sqlite3.connect(listener.database, isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")
    broker.publish(*(numbered(number) for number in range(3_000)))
    until(lambda: (told := listener.health()) is not None and told.store_fault is not None)
    check = listener.run("healthcheck")
    assert check.returncode == 1
    assert "can't be stored" in check.stdout
    assert "another program holds the database" in check.stdout
    time.sleep(5)
    intruder.execute("ROLLBACK")
    intruder.close()
    until(lambda: listener.count() == 3_000)
    assert set(listener.temperatures().values()) == {1}
    assert listener.log().count("can't be stored") == 1
    assert listener.log().count("stored again") == 1
    until(lambda: listener.run("healthcheck").returncode == 0)


def test_what_is_no_reading_is_kept_and_readings_go_on(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    impossible = OFFICE.replace(b"39.17", b"120").replace(b"73.45", b"hot")
    broker.publish(b"garbage", b"", b"\xff\xfe", bytes(1_000_000), impossible, OFFICE)
    until(lambda: listener.count("ECCRejected") == 5)
    assert listener.count() == 1
    assert listener.query("SELECT length(payload) FROM ECCRejected WHERE reason LIKE '1,000,000 bytes%'") == [
        (1_000_000,)
    ]
    until(lambda: listener.log().count("Rejected a message on topic") == 5)


def test_an_error_in_a_decoder_rejects_the_message_and_blocks_nothing(
    broker: Mosquitto, listener: Listener
) -> None:
    listener.program = [
        "-c",
        """
import sys
from ecc_listener import cli
from ecc_listener.readings import form
decode = form.decode
form.decode = lambda payload: payload.nothing if b'crash' in payload else decode(payload)
sys.exit(cli.main([]))
""",
    ]
    listener.start()
    broker.publish(numbered(1), b"crash", numbered(2))
    listener.wait_for(2)
    reason = "an error in this program: AttributeError"
    until(lambda: listener.count("ECCRejected") == 1)
    [(payload, said)] = listener.query("SELECT payload, reason FROM ECCRejected")
    assert payload == b"crash"
    assert str(said).startswith(reason)
    # The row is there a moment before the line in the log.
    until(lambda: "has no attribute 'nothing'" in listener.log())
    assert listener.log().count("An error in this program; the message is kept as rejected") == 1
    assert listener.run("healthcheck").returncode == 0
    # Nor does it stop an attempt to decode it again.
    assert "readings now: 0; still rejected: 1" in listener.run("replay").stdout


def test_a_sensor_that_sends_another_name_on_its_own_topic_is_kept_apart_and_told_once(
    broker: Mosquitto, tmp_path: Path
) -> None:
    listener = Listener(
        tmp_path / "own", broker.port, mqtt_topics="ECCTempHum,ECCTempHum/+=own", timer_check="0.05"
    )
    listener.start()
    try:
        broker.publish(OFFICE, topic="ECCTempHum/ECCTH01")
        broker.publish(OFFICE, OFFICE, OFFICE, topic="ECCTempHum/ECCTH05")
        broker.publish(OFFICE.replace(b"ECCTH01", b"ECCTH02"))
        until(lambda: listener.count("ECCRejected") == 3 and listener.count() == 2)
        reason = "the topic is that of the sensor ECCTH05, but the payload names ECCTH01"
        assert listener.query("SELECT DISTINCT topic, payload, reason, replayedUTC FROM ECCRejected") == [
            ("ECCTempHum/ECCTH05", OFFICE, reason, None)
        ]
        assert listener.query("SELECT DISTINCT sensorName FROM ECCTempHum ORDER BY sensorName") == [
            ("ECCTH01",),
            ("ECCTH02",),
        ]
        told = "SELECT kind, sensorName FROM ECCNotice WHERE kind = 'other_name'"
        until(lambda: listener.query(f"{told} AND done = 1"))
        broker.publish(OFFICE, topic="ECCTempHum/ECCTH05")
        broker.publish(OFFICE, topic="ECCTempHum/ECCTH06")
        until(lambda: ("other_name", "ECCTH06") in listener.query(told))
        assert listener.query(told) == [("other_name", "ECCTH05"), ("other_name", "ECCTH06")]
        # It stays apart when it is decoded again, unless the topics have changed.
        assert "readings now: 0; still rejected: 5" in listener.run("replay").stdout
    finally:
        listener.end()


def test_an_incomplete_reading_is_stored_and_told_once(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    dry, on_mains = OFFICE.replace(b"47.10", b"-inf"), OFFICE.replace(b"&field4=3.41&field5=93.53", b"")
    on_mains = on_mains.replace(b"ECCTH01", b"ECCTH02")
    broker.publish(dry, dry, on_mains, on_mains, on_mains)
    until(lambda: listener.count() == 5)
    columns = "dewPointF, temperatureF, relHumidityPercent, battVoltage, battPercent, apRSSI, sensorName"
    assert listener.query(f"SELECT DISTINCT {columns} FROM ECCTempHum ORDER BY sensorName") == [
        (None, 73.45, 39.17, 3.41, 93.53, -67, "ECCTH01"),
        (47.1, 73.45, 39.17, None, None, -67, "ECCTH02"),
    ]
    kept = listener.query("SELECT payload, reason, replayedUTC = receivedUTC FROM ECCRejected ORDER BY rowid")
    missing = "field4 (battery voltage) is missing; field5 (battery charge) is missing"
    assert kept == [(dry, "field1 (dew point) is '-inf'; possible is -112 to 257 °F", 1)] * 2 + [
        (on_mains, missing, 1)
    ]
    assert listener.log().count("the rest is stored") == 2
    assert "Rejected a message" not in listener.log()
    assert listener.run("replay").stdout.endswith("now: 0; still rejected: 0.\n")
    # After a restart it is said again, once.
    listener.stop()
    listener.start()
    broker.publish(on_mains)
    until(lambda: listener.count() == 6)
    assert listener.log().count(f"ECCTH02: {missing}; the rest is stored") == 2


def test_further_numbers_are_stored_beside_the_reading(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    broker.publish(OFFICE + b"&field11=4.2&lux=300&note=new")
    until(lambda: listener.count("ECCValue") == 2)
    joined = "ECCValue JOIN ECCTempHum USING (sensorName, recordWrittenUTC)"
    assert listener.query(f"SELECT field, value FROM {joined} ORDER BY field") == [
        ("field11", 4.2),
        ("lux", 300),
    ]


def test_a_retained_message_is_marked_and_makes_no_reading(broker: Mosquitto, listener: Listener) -> None:
    broker.publish(OFFICE, retain=True)
    listener.start()
    until(lambda: listener.count("ECCRejected") == 1)
    assert listener.count() == 0
    # Live ones of the same sensor count, though it sends them to be retained.
    broker.publish(OFFICE, retain=True)
    until(lambda: listener.count() == 1)


def test_replay_is_done_by_the_listener_that_runs(broker: Mosquitto, listener: Listener) -> None:
    listener.start()
    broker.publish(b"garbage")
    until(lambda: listener.count("ECCRejected") == 1)
    done = listener.run("replay")
    assert done.stdout == "Rejected messages that are readings now: 0; still rejected: 1.\n"
    assert "Decoded rejected messages again" in listener.log()
    listener.stop()
    with sqlite3.connect(listener.database) as connection:
        connection.execute("UPDATE ECCRejected SET payload = ?", (OFFICE,))
    connection.close()
    assert listener.run("replay").stdout == "Rejected messages that are readings now: 1; still rejected: 0.\n"
    assert listener.count() == 1


def test_a_broker_away_at_the_start_is_waited_for(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    listener = Listener(tmp_path / "listener", broker.port)
    listener.start(connected=False)
    until(lambda: "can't be reached: Connection refused" in listener.log())
    broker.start()
    until(listener.is_connected)
    assert listener.stop() == 0
    broker.stop()


def test_a_wrong_password_is_told_once_and_tried_again(tmp_path: Path, broker: Mosquitto) -> None:
    listener = Listener(tmp_path / "listener", broker.port)
    (tmp_path / "listener" / "credentials").write_text(f"{USERNAME},wrong")
    listener.start(connected=False)
    until(lambda: "refuses user 'sensor': wrong user name or password" in listener.log())
    time.sleep(4)
    assert listener.log().count("refuses user") == 1
    assert (broker.folder / "broker.log").read_text().count("not authorised") >= 2
    assert "wrong" not in listener.log().replace("wrong user name or password", "")
    assert listener.stop() == 0


def test_a_client_that_takes_the_session_over_is_answered_with_patience(
    broker: Mosquitto, listener: Listener
) -> None:
    listener.start()
    intruder = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="ecc-listener", clean_session=False)
    intruder.username_pw_set(USERNAME, PASSWORD)
    intruder.connect("127.0.0.1", broker.port)
    until(lambda: "another client came with the same client id" in listener.log())
    intruder.loop_start()
    intruder.disconnect()
    intruder.loop_stop()
    until(listener.is_connected)
    broker.publish(OFFICE)
    until(lambda: listener.count() == 1)


def test_a_broker_that_falls_silent_is_left_and_found_again(broker: Mosquitto, listener: Listener) -> None:
    assert broker.process
    impatient = "from ecc_listener import cli; from ecc_listener.mqtt import session; session.KEEPALIVE_S = 2"
    listener.program = ["-c", f"{impatient}; cli.main([])"]
    listener.start()
    # The connection stays open, and nobody is at its other end.
    broker.process.send_signal(signal.SIGSTOP)
    until(lambda: "the broker has not answered for 2 s; it hangs, or the network" in listener.log())
    until(lambda: not listener.is_connected())
    broker.process.send_signal(signal.SIGCONT)
    until(lambda: listener.log().count("which knows the session") == 1)
    broker.publish(OFFICE)
    listener.wait_for(1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_properly_and_says_what_it_has_done(
    broker: Mosquitto, listener: Listener, number: int
) -> None:
    listener.start()
    broker.publish(OFFICE, b"garbage")
    until(lambda: listener.count("ECCRejected") == 1)
    assert listener.stop(number, timeout_s=10) == 0
    assert re.search(
        r"Stopped after 0:00:0\d: 2 messages, 1 rows, 1 rejected, 0 reconnects\n$", listener.log()
    )
    assert "Connection lost" not in listener.log()


def test_a_signal_in_the_midst_of_logging_ends_it_all_the_same(broker: Mosquitto, listener: Listener) -> None:
    for _ in range(3):
        listener.start()
        with Publisher(broker.port) as publisher:
            for _ in range(2_000):
                publisher.publish(b"garbage", qos=0)
        # Each of them is a line or more; the signals come while they are written.
        assert listener.stop(timeout_s=10) == 0


def test_a_loop_that_stands_still_is_found_by_the_healthcheck(broker: Mosquitto, listener: Listener) -> None:
    assert broker.process
    listener.start()
    assert listener.run("healthcheck").stdout == "ok\n"
    listener.stop(signal.SIGKILL)
    dead = listener.run("healthcheck")
    assert dead.returncode == 1
    assert "hangs or has ended" in dead.stdout


def test_silence_is_unhealthy_after_timer_check(tmp_path: Path, broker: Mosquitto) -> None:
    listener = Listener(tmp_path / "listener", broker.port, timer_check="0.15")
    listener.start()
    until(lambda: listener.run("healthcheck").returncode == 1)
    assert "no message for 0 min; last message none" in listener.run("healthcheck").stdout
    broker.publish(OFFICE)
    until(lambda: listener.run("healthcheck").returncode == 0)
    listener.stop()


def test_a_database_in_use_ends_the_start_with_one_line(broker: Mosquitto, listener: Listener) -> None:
    assert broker.process
    listener.start()
    second = listener.run()
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "in use by another listener" in second.stderr


def test_a_port_where_nothing_speaks_mqtt_is_given_up_after_a_while(tmp_path: Path) -> None:
    port = free_port()
    silent = subprocess.Popen(
        ["python3", "-c", f"import socket,time;s=socket.create_server(('127.0.0.1',{port}));time.sleep(60)"]
    )
    listener = Listener(tmp_path / "listener", port)
    listener.start(connected=False)
    until(lambda: "accepts the connection but never answers" in listener.log())
    assert listener.stop() == 0
    silent.kill()
    silent.wait()
