"""The real containers, brought up as a volunteer does it. The tests follow each other in their order."""

import base64
import hashlib
import json
import re
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from faults.matrix import restart_container
from projects import Project, project
from support.brokers import OFFICE, until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

ORIGINAL_TABLE = (
    "CREATE TABLE ECCTempHum(recordWrittenUTC TEXT, dewPointF REAL, temperatureF REAL,"
    " relHumidityPercent REAL, battVoltage REAL, battPercent REAL, apRSSI INTEGER,"
    " sensorName TEXT, PRIMARY KEY (sensorName, recordWrittenUTC))"
)
GENERATIONS = pytest.mark.parametrize("generation", [1, 2])


@pytest.fixture(scope="module")
def stack() -> Iterator[Project]:
    """Give a stack that `make up` has brought up, with Compose 1.29."""
    with project(1) as made:
        made.choose_ports()
        made.git("init", "--quiet")
        made.git("add", "--all")
        made.git("commit", "--quiet", "--message", "as published")
        up = made.run("make", "up")
        assert up.returncode == 0, up.stdout + up.stderr
        (made.folder / "data/up.txt").write_text(up.stdout)
        yield made


@GENERATIONS
def test_before_any_setup_compose_leads_to_make_up_and_leaves_nothing_behind(generation: int) -> None:
    with project(generation) as made:
        before = sorted(made.folder.rglob("*"))
        told = made.compose("up", "--detach")
        assert told.returncode != 0
        assert "make up" in told.stderr
        assert sorted(made.folder.rglob("*")) == before


@GENERATIONS
def test_both_compose_generations_accept_the_file(stack: Project, generation: int) -> None:
    before, stack.generation = stack.generation, generation
    try:
        accepted = stack.compose("config", "--quiet")
    finally:
        stack.generation = before
    assert accepted.returncode == 0, accepted.stderr


def test_make_up_returns_when_all_are_healthy_and_says_what_to_enter(stack: Project) -> None:
    # The Engine itself waits for the interval of the healthcheck.
    until(lambda: all(stack.is_healthy(service) for service in ("broker", "listener", "web")), 60)
    told = (stack.folder / "data/up.txt").read_text()
    for words in (
        "127.0.0.1",
        str(stack.port),
        "ECCTempHum",
        "sensor",
        "secrets/sensor_credentials",
        "make status",
        f"http://127.0.0.1:{stack.web_port}\n    only from this machine",
    ):
        assert words in told
    assert stack.account()[1] not in told
    assert "\x1b" not in told
    assert "\r" not in told


def test_the_containers_have_no_rights_that_they_do_not_need(stack: Project) -> None:
    for service in ("broker", "listener", "web"):
        state = stack.inspect(service)
        host = state["HostConfig"]
        assert str(state["Config"]["User"]).split(":")[0] not in {"", "0", "root"}
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["Memory"]
        assert host["PidsLimit"]
        assert stack.account("mqtt")[1] not in str(state)
        assert stack.account()[1] not in str(state)


def test_the_kernel_grants_the_processes_nothing(stack: Project) -> None:
    owner = str((stack.folder / "data/db").stat().st_uid)
    for service in ("broker", "listener", "web"):
        shown = stack.run("docker", "exec", stack.container(service), "cat", "/proc/1/status").stdout
        status = dict(line.split(":\t", 1) for line in shown.splitlines() if ":\t" in line)
        assert set(status["Uid"].split()) == {owner}
        assert "0" not in status["Gid"].split()
        rights = [status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]
        assert set(rights) == {"0" * 16}
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"


def test_no_secret_is_in_images_environments_arguments_or_logs(stack: Project) -> None:
    secrets = [
        line.partition(",")[2]
        for path in (stack.folder / "secrets").glob("*_credentials")
        for line in path.read_text().splitlines()
    ]
    assert len(secrets) >= 2
    shown = stack.compose("config").stdout + stack.compose("logs", "--no-color").stdout
    for service in ("broker", "listener", "web"):
        container = stack.container(service)
        image = str(stack.inspect(service)["Image"])
        for words in (
            ("inspect", container),
            ("image", "inspect", image),
            ("history", "--no-trunc", image),
            ("top", container, "-eo", "pid,args"),
            ("exec", container, "cat", "/proc/1/environ"),
        ):
            told = stack.run("docker", *words)
            assert told.returncode == 0, told.stderr
            shown += told.stdout
    assert "ECC_MQTT_BROKER" in shown
    shown += (stack.folder / "data/logs/ECCMQTTIoT.log").read_text()
    for secret in secrets:
        assert secret not in shown
    # Nor are they in the image's files.
    listed = stack.run("docker", "exec", stack.container("web"), "ls", "/run/secrets").stdout.split()
    assert listed == ["web_credentials"]


def test_a_reading_of_a_sensor_is_a_row_that_the_owner_of_the_folder_reads(stack: Project) -> None:
    client = stack.client(*stack.account())
    until(client.is_connected)
    client.publish("ECCTempHum", OFFICE, qos=0)
    until(lambda: stack.count() == 1)
    client.publish("ECCTempHum", OFFICE, qos=0)
    until(lambda: stack.count() == 2)
    client.disconnect()
    client.loop_stop()
    assert stack.count("ECCTempHumSensor") == 1
    owner = (stack.folder / "data/db/ECCTempHum.sqlite3").stat().st_uid
    assert owner != 0
    sql = "SELECT sensorName, temperatureF FROM ECCTempHum LIMIT 1"
    shown = subprocess.run(
        ["sqlite3", "-readonly", stack.folder / "data/db/ECCTempHum.sqlite3", sql],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.stdout == "ECCTH01|73.45\n", shown.stderr


def test_nobody_unknown_enters_and_sensors_cannot_read(stack: Project) -> None:
    username, password = stack.account()
    assert stack.refusal(username, password) == ""
    assert stack.refusal(None, None) == "Not authorized"
    assert stack.refusal(username, "wrong") == "Not authorized"
    assert _broker_log(stack, "disconnected: not authorised").count("\n") >= 2
    overheard: list[object] = []
    spy = stack.client(username, password)
    until(spy.is_connected)
    spy.on_message = lambda *given: overheard.append(given[2])
    spy.subscribe([("#", 1), ("$SYS/#", 1)])
    rows = stack.count()
    stack.publish(OFFICE)
    stack.publish(OFFICE, topic="elsewhere")
    until(lambda: stack.count() == rows + 1)
    time.sleep(1)
    spy.disconnect()
    spy.loop_stop()
    assert overheard == []
    assert stack.count() == rows + 1


def _broker_log(stack: Project, words: str) -> str:
    """Give the lines of the broker that hold these words."""
    lines = stack.compose("logs", "--no-color", "broker").stdout.splitlines(keepends=True)
    return "".join(line for line in lines if words in line)


def _still_serves(stack: Project) -> None:
    rows = stack.count()
    stack.publish(OFFICE)
    until(lambda: stack.count() == rows + 1)


def test_a_sensor_s_password_does_not_take_the_listener_s_session(stack: Project) -> None:
    username, password = stack.account()
    intruder = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="ecc-listener", clean_session=False)
    intruder.username_pw_set(username, password)
    intruder.connect("127.0.0.1", stack.port)
    intruder.loop_start()
    until(intruder.is_connected)
    intruder.subscribe("ECCTempHum", 1)
    overheard: list[object] = []
    intruder.on_message = lambda *given: overheard.append(given[2])
    _still_serves(stack)
    intruder.disconnect()
    intruder.loop_stop()
    assert overheard == []
    log = stack.compose("logs", "--no-color", "listener").stdout
    assert "Connection lost" not in log


def test_a_huge_payload_is_refused_before_it_takes_memory(stack: Project) -> None:
    username, password = (word.encode() for word in stack.account())
    rows = stack.count("ECCRejected")
    with socket.create_connection(("127.0.0.1", stack.port)) as intruder:
        intruder.settimeout(20)
        name = b"".join(len(word).to_bytes(2, "big") + word for word in (b"huge", username, password))
        body = b"\x00\x04MQTT\x04\xc2\x00\x3c" + name
        intruder.sendall(b"\x10" + bytes([len(body)]) + body)
        assert intruder.recv(4) == b"\x20\x02\x00\x00"
        # A PUBLISH packet of 256 MB, the most that MQTT can say.
        packet = b"\x30\xff\xff\xff\x7f\x00\x0aECCTempHum" + bytes(300 << 20)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            intruder.sendall(packet)
    _still_serves(stack)
    assert stack.count("ECCRejected") == rows
    assert "Client huge" in _broker_log(stack, "disconnected: oversize packet")


def test_a_thousand_connections_and_half_a_greeting_keep_nobody_else_out(stack: Project) -> None:
    crowd = []
    for _ in range(1_000):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", stack.port))
        crowd.append(one)
    for one in crowd[::10]:
        with suppress(OSError):
            one.send(b"\x10\x20\x00\x04MQ")
    time.sleep(2)
    assert stack.is_healthy("listener")
    # The broker drops who says nothing after half a minute, and then there is room for a sensor again.
    until(lambda: _publishes(stack), 60)
    until(lambda: _broker_log(stack, "disconnected: exceeded timeout"), 60)
    for one in crowd:
        one.close()
    assert "Connection lost" not in stack.compose("logs", "--no-color", "listener").stdout


def _publishes(stack: Project) -> bool:
    rows = stack.count()
    try:
        stack.publish(OFFICE)
    except (OSError, AssertionError):
        return False
    until(lambda: stack.count() > rows)
    return True


def test_make_simulate_plays_sensors(stack: Project) -> None:
    rows = stack.count()
    played = stack.run("make", "simulate", "OPTIONS=--sensors 3 --count 2 --every 0.2")
    assert played.returncode == 0, played.stderr
    until(lambda: stack.count() == rows + 6)


def test_a_second_make_up_overwrites_and_breaks_nothing(stack: Project) -> None:
    files = [stack.folder / ".env", *(stack.folder / "secrets").iterdir(), stack.folder / "mosquitto/acl"]
    before = [file.read_bytes() for file in files], stack.container("broker"), stack.container("listener")
    again = stack.run("make", "up")
    assert again.returncode == 0, again.stderr
    assert (
        [file.read_bytes() for file in files],
        stack.container("broker"),
        stack.container("listener"),
    ) == before


def test_status_shows_all_on_one_screen(stack: Project) -> None:
    shown = stack.run("make", "status")
    assert shown.returncode == 0, shown.stderr
    for words in ("All is well", "ECCTH01 (Office)", "Last message", "Database", "Log", "healthy"):
        assert words in shown.stdout
    assert len(shown.stdout.splitlines()) <= 25


def test_the_doctor_looks_at_all_parts(stack: Project) -> None:
    said = stack.run("make", "doctor").stdout
    for part in ("docker", "broker", "listener", "web", "settings", "clock", "disk", "database"):
        assert f"ok      {part:<9} " in said
    assert "BROKEN" not in said
    listed = json.loads(stack.run("make", "doctor", "JSON=yes").stdout)
    assert [one["part"] for one in listed][:4] == ["docker", "broker", "listener", "web"]


def test_the_quarantine_is_decoded_again_when_asked(stack: Project) -> None:
    done = stack.run("make", "replay")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Rejected messages that are readings now: 0; ")


def test_a_room_is_muted_and_no_name_is_run_by_a_shell(stack: Project) -> None:
    stack.publish(OFFICE.replace(b"ECCTH01", b"$(id) `id`").replace(b"Office", b"It's a room"))
    until(lambda: stack.query("SELECT 1 FROM ECCTempHum WHERE sensorName = '$(id) `id`'"))
    for name in ("Office", "$(id) `id`", "It's a room"):
        muted = stack.run("make", "mute", f"SENSOR={name}", "FOR=30min")
        assert muted.returncode == 0, muted.stderr
        assert f"{name} is muted until " in muted.stdout
        ended = stack.run("make", "mute", f"SENSOR={name}", "OFF=yes")
        assert f"{name} is muted" not in ended.stdout
    unknown = stack.run("make", "mute", "SENSOR=Ofice")
    assert unknown.returncode != 0
    assert "did you mean 'Office'?" in unknown.stderr


def test_prometheus_gets_its_metrics(stack: Project) -> None:
    lines = stack.page("/metrics").text.splitlines()
    assert "ecc_listener_up 1.0" in lines
    series = 'ecc_sensor_temperature_celsius{location="Office",sensor="ECCTH01"} '
    assert sum(line.startswith(series) for line in lines) == 1


def test_what_sensors_send_while_only_the_listener_is_away_is_not_lost(stack: Project) -> None:
    rows = stack.count()
    stack.compose("stop", "listener")
    stack.publish(*[OFFICE] * 50)
    stack.publish(*[OFFICE] * 50, qos=0)
    stack.compose("start", "listener")
    until(lambda: stack.count() == rows + 100)


def test_the_page_shows_the_rooms_and_can_change_nothing(stack: Project) -> None:
    assert "Office" in stack.page().text
    for view in ("/history", "/events", "/system", "/api"):
        assert stack.page(view).status_code == 200
    # The listener says once a second how it is.
    until(lambda: stack.page("/api/rooms").json()["is_well"])
    mounts = {str(one["Destination"]): one["RW"] for one in stack.inspect("web")["Mounts"]}  # type: ignore[index]
    assert {location for location, writable in mounts.items() if writable} == set()
    assert "/run/secrets/gmail_credentials" not in mounts
    assert "/run/secrets/mqtt_credentials" not in mounts
    # What SQLite writes beside a file that it reads would be seen in the folder.
    assert (
        "Read-only file system"
        in stack.run("docker", "exec", stack.container("web"), "touch", "/data/db/x").stderr
    )


def test_the_page_works_in_every_state_of_the_listener(stack: Project) -> None:
    stack.compose("kill", "-s", "KILL", "listener")
    until(lambda: "The listener has not responded since" in stack.page().text, 60)
    assert "Office" in stack.page().text
    stack.compose("start", "listener")
    until(lambda: stack.page("/api/rooms").json()["is_well"], 30)
    stack.compose("stop", "listener")
    assert "The listener is not running" in stack.page().text
    assert "Office" in stack.page().text
    assert stack.is_healthy("web")
    stack.compose("start", "listener")
    until(lambda: stack.page("/api/rooms").json()["is_well"], 30)


def test_a_backup_is_put_back_and_what_came_since_is_kept_aside_or_merged(stack: Project) -> None:
    rows = stack.count()
    (stack.folder / "data/db/ECCMQTTIoT_Limits.ini").touch()
    made = stack.run("make", "backup")
    assert made.returncode == 0, made.stdout + made.stderr
    database, settings = made.stdout.split()[0], made.stdout.splitlines()[-2]
    assert (stack.folder / database).stat().st_uid == (stack.folder / "data/db").stat().st_uid
    assert "Without the passwords" in made.stdout
    inside = stack.run("tar", "-tzf", settings).stdout
    assert {".env", "mosquitto/conf.d/", "data/db/ECCMQTTIoT_Limits.ini"} <= set(inside.split())
    assert "secrets" not in inside
    with_secrets = stack.run("make", "backup", "SECRETS=yes").stdout.splitlines()[-1]
    assert (stack.folder / with_secrets).stat().st_mode & 0o777 == 0o600
    assert "secrets/mqtt_credentials" in stack.run("tar", "-tzf", with_secrets).stdout

    stack.publish(*[OFFICE] * 7)
    until(lambda: stack.count() == rows + 7)
    unasked = stack.run("make", "restore", f"FILE={database}")
    assert unasked.returncode != 0
    assert "This needs your confirmation" in unasked.stderr
    assert stack.count() == rows + 7
    for merge, left in (("MERGE=yes", rows + 7), ("MERGE=no", rows)):
        done = stack.run("make", "restore", f"FILE={database}", "YES=yes", merge)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "The previous database is now ECCTempHum-before-restore-" in done.stdout
        until(lambda: stack.is_healthy("listener"), 60)
        assert stack.count() == left
    _still_serves(stack)
    for name in (".env", "data/db/none", ""):
        refused = stack.run("make", "restore", f"FILE={name}", "YES=yes")
        assert refused.returncode != 0
        assert "Next step" in refused.stderr
    _still_serves(stack)


def test_readings_are_exported_from_the_running_stack(stack: Project) -> None:
    told = stack.run("make", "--silent", "export", "OPTIONS=--sensor ECCTH01 --units c")
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].startswith("time_utc,sensor,temperature_c")
    # Some are the tests' own, others the simulation's.
    assert all(line.split(",")[1] == "ECCTH01" for line in lines[1:])
    assert any(",ECCTH01,23.03," in line for line in lines[1:])


def test_make_test_mail_goes_by_the_files_as_they_are_now(stack: Project) -> None:
    off = stack.run("make", "test-mail")
    assert off.returncode != 0
    assert "Mail is off" in off.stdout
    assert "Next step: write address,password" in off.stdout
    credentials, settings = stack.folder / "secrets/gmail_credentials", stack.folder / ".env"
    before = settings.read_text()
    credentials.write_text("rooms@example.org,hunter2,None,you@example.org\n")
    settings.write_text(f"{before}\nECC_SMTP_HOST=broker\n")
    closed = stack.run("make", "test-mail")
    credentials.write_text("")
    settings.write_text(before)
    assert closed.returncode != 0
    assert "FAILED  you@example.org: nothing accepts connections at broker:465." in closed.stdout
    assert "Next step: correct ECC_SMTP_HOST" in closed.stdout
    assert "hunter2" not in closed.stdout + closed.stderr


def test_the_digest_is_written_in_the_container(stack: Project) -> None:
    today = datetime.now(UTC).date()
    needs = {
        "database": "/data/db/ECCTempHum.sqlite3",
        "backup_folder": "/data/backup",
        "limits_file": "/data/db/ECCMQTTIoT_Limits.ini",
        "monday": str(today - timedelta(days=today.weekday())),
        "now_us": time.time_ns() // 1000,
    }
    command = ["docker", "exec", "--interactive", stack.container("listener")]
    written = subprocess.run(
        [*command, "python3", "-m", "ecc_listener.digest.process"],
        input=json.dumps(needs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert written.returncode == 0, written.stderr
    letter = json.loads(written.stdout)
    assert "Office" in letter["plain"]
    assert base64.b64decode(letter["picture"]).startswith(b"\x89PNG")


def test_when_all_is_lost_the_backups_bring_it_back(stack: Project) -> None:
    """Follow the README: settings and passwords, `make up`, the newest backup, then the archives."""
    archive = stack.folder / "data/db/ECCTempHum-202012190304-202012190304.sqlite3"
    with sqlite3.connect(archive) as old:
        old.execute(ORIGINAL_TABLE)
        values = "'2020-12-19 03:04:05.678901', 1, 2, 3, 4, 5, -6, 'ECCTH99'"
        old.execute(f"INSERT INTO ECCTempHum VALUES ({values})")
    old.close()
    rows, account = stack.count(), stack.account()
    assert stack.run("make", "down").returncode == 0
    # The stack stands: the backup is made all the same.
    made = stack.run("make", "backup", "SECRETS=yes")
    assert made.returncode == 0, made.stdout + made.stderr
    database, copied, secrets = (line.split()[0] for line in made.stdout.splitlines()[-3:])
    for lost in ("data/db", "data/broker", "data/logs", "secrets"):
        shutil.rmtree(stack.folder / lost)
    (stack.folder / ".env").unlink()

    assert stack.run("tar", "-xzf", secrets).returncode == 0
    up = stack.run("make", "up")
    assert up.returncode == 0, up.stdout + up.stderr
    assert stack.account() == account
    for name in (database, copied):
        done = stack.run("make", "restore", f"FILE={name}", "YES=yes")
        assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: stack.is_healthy("listener"), 60)
    # What marks empty folders for git was lost with them.
    stack.git("checkout", "--quiet", "--", "data")
    assert stack.count() == rows
    told = stack.run("make", "--silent", "export", "OPTIONS=--sensor ECCTH99")
    assert len(told.stdout.splitlines()) == 2, told.stderr
    _still_serves(stack)


def test_down_and_up_loses_nothing(stack: Project) -> None:
    stack.publish(OFFICE)
    rows = stack.count()
    down = stack.run("make", "down")
    assert down.returncode == 0, down.stderr
    up = stack.run("make", "up")
    assert up.returncode == 0, up.stderr
    stack.publish(OFFICE)
    until(lambda: stack.count() >= rows + 1)
    assert stack.count() >= rows


def test_a_restart_of_the_listener_s_container_under_load_neither_loses_nor_doubles(stack: Project) -> None:
    outcome = restart_container(stack, 1)
    assert outcome.is_good(), outcome


def test_a_process_that_dies_is_started_again(stack: Project) -> None:
    container = stack.container("listener")
    killed = (
        "import os, pathlib; [os.kill(int(p.name), 9) for p in pathlib.Path('/proc').iterdir()"
        " if p.name.isdigit() and b'/ecc-listener' in (p / 'cmdline').read_bytes() and int(p.name) > 1]"
    )
    stack.run("docker", "exec", container, "python3", "-c", killed)
    until(lambda: str(stack.inspect("listener")["RestartCount"]) == "1", 30)
    rows = stack.count()
    stack.publish(OFFICE)
    until(lambda: stack.count() == rows + 1, 30)


def test_home_assistant_reads_the_devices_with_an_account_of_its_own(stack: Project) -> None:
    assert stack.run("make", "add-sensor", "NAME=homeassistant").returncode == 0
    (stack.folder / "mosquitto/conf.d/homeassistant.acl").write_text(
        "user homeassistant\ntopic readwrite homeassistant/#\ntopic read ecc-listener/#\n"
    )
    with (stack.folder / ".env").open("a") as settings:
        settings.write("ECC_HOME_ASSISTANT_PREFIX=homeassistant\n")
    restarted = stack.run("make", "restart")
    assert restarted.returncode == 0, restarted.stdout + restarted.stderr
    found: dict[str, bytes] = {}
    client = stack.client(*stack.account("sensor_homeassistant"))
    client.on_message = lambda _client, _data, message: found.update({message.topic: bytes(message.payload)})
    until(client.is_connected)
    client.subscribe([("homeassistant/#", 1), ("ecc-listener/#", 1)])
    try:
        until(lambda: any(topic.endswith("/state") for topic in found), 60)
        until(lambda: found.get("ecc-listener/status") == b"online")
        assert any(b'"name":"Office"' in payload for payload in found.values())
    finally:
        client.disconnect()
        client.loop_stop()


def test_accounts_of_sensors_come_change_and_go_while_the_others_stay_connected(stack: Project) -> None:
    lost: list[str] = []
    shared = stack.client(*stack.account())
    shared.on_disconnect = lambda *_: lost.append("shared")
    until(shared.is_connected)
    added = stack.run("make", "add-sensor", "NAME=Küche oben")
    assert added.returncode == 0, added.stderr
    name, password = stack.account("sensor_Küche oben")
    assert f"password   {password} " in added.stdout
    own = stack.client(name, password)
    until(own.is_connected)
    rows, rejected = stack.count(), stack.count("ECCRejected")
    own.publish("ECCTempHum/ECCTH01", OFFICE)
    own.publish("ECCTempHum/Küche oben", OFFICE.replace(b"ECCTH01", name.encode()))
    own.publish("ECCTempHum/Küche oben", OFFICE)
    until(lambda: stack.count("ECCRejected") > rejected)
    assert stack.count() == rows + 1
    assert stack.query("SELECT topic FROM ECCRejected ORDER BY rowid DESC LIMIT 1") == [
        ("ECCTempHum/Küche oben",)
    ]
    (line,) = (one for one in stack.run("make", "list-sensors").stdout.splitlines() if one.startswith(name))
    assert re.search(r"one sensor +\d\d:\d\d \(.* ago\) +[\d.]+, at \d\d:\d\d", line)
    own.on_disconnect = lambda *_: lost.append("own")
    rotated = stack.run("make", "rotate-password", f"NAME={name}")
    until(lambda: lost)
    own.loop_stop()
    assert password not in rotated.stdout
    assert stack.account("sensor_Küche oben")[1] in rotated.stdout
    assert stack.refusal(name, password) == "Not authorized"
    assert stack.refusal(*stack.account("sensor_Küche oben")) == ""
    assert stack.run("make", "remove-sensor", f"NAME={name}").returncode == 0
    assert stack.refusal(*stack.account("sensor")) == ""
    assert "Küche" not in (stack.folder / "secrets/mosquitto_passwd").read_text()
    assert [*(stack.folder / "secrets").glob("*Küche*")] == []
    shared.publish("ECCTempHum", OFFICE)
    until(lambda: stack.count() == rows + 2)
    # Its client tries the old password again, and is sent away again.
    assert set(lost) == {"own"}
    shared.on_disconnect = None
    shared.loop_stop()


@pytest.mark.parametrize(
    "name", ['x"; touch own; "', "$(touch own)", "`touch own`", "$(shell touch own)", "a\nb", "#", ""]
)
def test_a_name_reaches_the_program_as_it_was_typed_and_is_refused(stack: Project, name: str) -> None:
    before = sorted(stack.folder.iterdir())
    refused = stack.run("make", "add-sensor", f"NAME={name}")
    assert refused.returncode != 0
    assert f"{name!r} can't be the name of an account" in refused.stderr
    assert sorted(stack.folder.iterdir()) == before


def test_the_password_file_of_an_earlier_broker_is_dropped_in(stack: Project) -> None:
    file = stack.folder / "secrets/mosquitto_passwd"
    before = file.read_text()
    made = stack.folder / "data/passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", made, "fleet", "old word"], check=True, capture_output=True
    )
    salt, digest = (
        base64.b64encode(b"twelve bytes"),
        base64.b64encode(hashlib.sha512(b"older wordtwelve bytes").digest()),
    )
    file.write_text(f"{made.read_text()}older:$6${salt.decode()}${digest.decode()}\n")
    restart = stack.run("make", "restart")
    assert restart.returncode == 0, restart.stdout + restart.stderr
    rows = stack.count()
    for account in (("fleet", "old word"), ("older", "older word"), stack.account()):
        client = stack.client(*account)
        until(client.is_connected)
        client.publish("ECCTempHum", OFFICE, 1).wait_for_publish(10)
        client.loop_stop()
    until(lambda: stack.count() == rows + 3)
    made.unlink()
    for name in ("fleet", "older"):
        assert stack.run("make", "remove-sensor", f"NAME={name}").returncode == 0
    assert [line.partition(":")[0] for line in file.read_text().splitlines()] == [
        line.partition(":")[0] for line in before.splitlines()
    ]


WRONG = {
    ".env": ("ECC_TIMER_CHECK=soon\r\nECC_TIMER_CHEK=20\r\n", "timer_check: is not a number of minutes"),
    "secrets/gmail_credentials": ("one field", "has 1 fields instead of four"),
    "secrets/web_credentials": ("church", "secrets/web_credentials must have the form username,password"),
    "secrets/mosquitto_passwd": (
        "x:$argon2id$v=19$x\n",
        "doesn't understand a hash in secrets/mosquitto_passwd",
    ),
    "mosquitto/conf.d/wrong.conf": ("max_inflite_messages 3\n", "Unknown configuration variable"),
}


@pytest.mark.parametrize("command", ["restart", "up"])
def test_what_is_wrong_is_said_all_at_once_and_what_runs_goes_on(stack: Project, command: str) -> None:
    before = [stack.container(service) for service in ("broker", "listener", "web")]
    kept = {name: _text(stack.folder / name) for name in WRONG}
    for name, (text, _) in WRONG.items():
        (stack.folder / name).write_text((kept[name] or "") + text)
    try:
        refused = stack.run("make", command)
    finally:
        for name, old in kept.items():
            if old is None:
                (stack.folder / name).unlink()
            else:
                (stack.folder / name).write_text(old)
    assert refused.returncode != 0
    for _, said in WRONG.values():
        assert said in refused.stderr
    assert refused.stderr.count("Next step: ") == len(WRONG)
    assert "Nothing was started, stopped or changed." in refused.stderr
    assert "did you mean ECC_TIMER_CHECK?" in refused.stdout
    assert [stack.container(service) for service in ("broker", "listener", "web")] == before
    _still_serves(stack)


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def test_a_broken_compose_file_and_a_port_that_is_taken_are_said_before_anything_happens(
    stack: Project,
) -> None:
    override, env = stack.folder / "docker-compose.override.yml", stack.folder / ".env"
    kept = env.read_text()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env.write_text(kept.replace(f"WEB_PORT={stack.web_port}", f"WEB_PORT={port}"))
        override.write_text("services: [\n")
        refused = stack.run("make", "restart")
        override.unlink()
        env.write_text(kept)
    assert refused.returncode != 0
    assert "The Compose file is wrong: " in refused.stderr
    assert f"Port {port}, which the page needs, is in use by another program." in refused.stderr
    _still_serves(stack)


def test_accounts_with_odd_characters_work_for_broker_and_listener_alike(stack: Project) -> None:
    secret = stack.folder / "secrets/mqtt_credentials"
    kept = secret.read_bytes()
    secret.write_bytes('\ufeffthe listener , pass,word ü$x"y \r\n'.encode())
    try:
        restart = stack.run("make", "restart")
        assert restart.returncode == 0, restart.stdout + restart.stderr
        _still_serves(stack)
        assert (
            "\nuser the listener\ntopic readwrite #\n" in (stack.folder / "secrets/mosquitto_acl").read_text()
        )
    finally:
        secret.write_bytes(kept)
    assert stack.run("make", "restart").returncode == 0


def test_make_restart_brings_every_edit_into_effect(stack: Project) -> None:
    env = stack.folder / ".env"
    env.write_text(env.read_text().replace("#ECC_LOG_LEVEL=INFO", "ECC_LOG_LEVEL=DEBUG"))
    (stack.folder / "mosquitto/conf.d/own.conf").write_text("max_packet_size 1000\n")
    (stack.folder / "mosquitto/conf.d/own.acl").write_text("user reader\ntopic read #\n")
    override = stack.folder / "docker-compose.override.yml"
    version = 'version: "3.8"\n' if "version:" in (stack.folder / "docker-compose.yml").read_text() else ""
    override.write_text(f"{version}services:\n  listener:\n    pids_limit: 60\n")
    env.write_text(
        env.read_text().replace("#ECC_MQTT_TOPICS=ECCTempHum", "ECC_MQTT_TOPICS=ECCTempHum,second")
    )
    (stack.folder / "secrets/sensor_credentials").write_text("sensor,a new password\n")
    env.write_text(env.read_text().replace("WEB_ADDRESS=127.0.0.1", "WEB_ADDRESS=0.0.0.0"))
    open_page = stack.run("make", "restart")
    assert "Everybody in the network can see it, because it has no password." in open_page.stdout
    (stack.folder / "secrets/web_credentials").write_text("church,a page's password\n")
    restart = stack.run("make", "restart")
    assert restart.returncode == 0, restart.stdout + restart.stderr
    assert "user church; the password is after the comma" in restart.stdout
    assert "a page's password" not in restart.stdout
    assert stack.page().status_code == 401
    assert stack.page(auth=("church", "a page's password")).status_code == 200
    rows = stack.count()
    stack.publish(OFFICE, topic="second")
    until(lambda: stack.count() == rows + 1)
    assert "ECC_LOG_LEVEL=DEBUG" in str(stack.inspect("listener")["Config"]["Env"])
    assert stack.inspect("listener")["HostConfig"]["PidsLimit"] == 60
    assert "field7=ECCTH01" in (stack.folder / "data/logs/ECCMQTTIoT.log").read_text()
    client = stack.client(*stack.account())
    until(client.is_connected)
    client.publish("ECCTempHum", bytes(5_000), qos=0)
    until(lambda: not client.is_connected())
    client.loop_stop()


def test_a_port_in_use_is_told_with_the_next_step() -> None:
    with project(1) as made, socket.socket() as taken:
        made.choose_ports()
        taken.bind(("127.0.0.1", made.port))
        taken.listen()
        told = made.run("make", "up")
        assert told.returncode != 0
        assert "is in use by another program" in told.stderr
        assert "Next step" in told.stderr


def test_an_installation_of_the_original_moves_over_with_compose_2() -> None:
    with project(2) as made:
        made.choose_ports()
        (made.folder / "secrets/mqtt_credentials").write_text("church, old password \r\n")
        (made.folder / "data/db").mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(made.folder / "data/db/ECCTempHum.sqlite3") as old:
            old.execute(ORIGINAL_TABLE)
            values = "'2020-12-19 03:04:05.678901', 1, 2, 3, 4, 5, -6, 'ECCTH01'"
            old.execute(f"INSERT INTO ECCTempHum VALUES ({values})")
        old.close()
        up = made.run("make", "up")
        assert up.returncode == 0, up.stdout + up.stderr
        until(lambda: made.is_healthy("listener"), 60)
        client = made.client("church", "old password")
        until(client.is_connected)
        client.publish("ECCTempHum", OFFICE, qos=0)
        until(lambda: made.count() == 2)
        client.disconnect()
        client.loop_stop()


def test_nothing_that_was_done_changed_a_file_that_git_keeps(stack: Project) -> None:
    assert stack.git("status", "--porcelain") == ""


def test_an_installation_of_the_version_before_is_taken_over(stack: Project) -> None:
    acl = stack.folder / "mosquitto/acl"
    with acl.open("a") as file:
        file.write("\nuser ECCTH05\ntopic write ECCTempHum\n\nuser bridge\ntopic readwrite homes/#\n")
    assert stack.git("status", "--porcelain") != ""
    up = stack.run("make", "up")
    assert up.returncode == 0, up.stdout + up.stderr
    assert stack.git("status", "--porcelain") == ""
    rules = (stack.folder / "secrets/mosquitto_acl").read_text()
    assert "user bridge\ntopic readwrite homes/#" in rules
