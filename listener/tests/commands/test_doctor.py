import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecc_listener.backup.retention import backup_name
from ecc_listener.commands import doctor
from ecc_listener.health import Health, write
from ecc_listener.settings import load
from ecc_listener.storage.store import Store
from support.brokers import OFFICE, Mosquitto, free_port, until
from support.listeners import Listener
from support.mail_servers import MailServer


class Installation:
    """A folder with what an installation has; `examine` is what the doctor says of it."""

    def __init__(self, folder: Path, broker: Mosquitto, server: MailServer) -> None:
        self.server = server
        self.listener = Listener(
            folder,
            broker.port,
            limits_file_path=folder / "limits.ini",
            backup_folder=folder / "backup",
            **server.settings("you@example.org"),
        )
        (folder / "backup").mkdir(exist_ok=True)

    def examine(self) -> dict[str, list[tuple[str, str, str]]]:
        done = self.listener.run("doctor", "--json")
        assert done.stderr == ""
        found: dict[str, list[tuple[str, str, str]]] = {}
        for one in json.loads(done.stdout):
            assert one["next_step"] or one["state"] == "well", one
            found.setdefault(one["part"], []).append((one["state"], one["text"], one["next_step"]))
        is_broken = any(state == "broken" for lines in found.values() for state, *_ in lines)
        assert done.returncode == is_broken
        return found

    def set(self, **settings: object) -> None:
        self.listener.environment |= {f"ECC_{name.upper()}": str(value) for name, value in settings.items()}


@pytest.fixture
def installation(tmp_path: Path, broker: Mosquitto, server: MailServer) -> Iterator[Installation]:
    """Give one whose listener runs and has stored a reading."""
    made = Installation(tmp_path / "listener", broker, server)
    made.listener.start()
    broker.publish(OFFICE)
    made.listener.wait_for(1)
    until(lambda: (current := made.listener.health()) and current.last_sensor)
    yield made
    made.listener.end()


@pytest.fixture
def stopped(tmp_path: Path, broker: Mosquitto, server: MailServer) -> Installation:
    """Give one whose listener does not run, with an empty database and a backup of just now."""
    made = Installation(tmp_path / "listener", broker, server)
    Store(made.listener.database, 1_000_000).close()
    name = backup_name("ECCTempHum", ".sqlite3", "manual", datetime.now(UTC))
    (made.listener.folder / "backup" / name).touch()
    return made


def test_what_works_is_called_well_and_nothing_is_changed(installation: Installation) -> None:
    assert installation.listener.run("backup").returncode == 0
    found = installation.examine()
    assert {state for lines in found.values() for state, *_ in lines} == {"well"}, found
    assert found.keys() == {"settings", "clock", "disk", "database", "listener", "broker", "mail", "backup"}
    assert installation.listener.count() == 1
    assert installation.listener.count("ECCRejected") == 0
    assert installation.server.mails == []


def test_the_text_has_one_line_for_each_and_the_next_step(installation: Installation) -> None:
    said = installation.listener.run("doctor").stdout
    assert "ok      broker    it accepts the listener's account, and its subscription to ECCTempHum" in said
    assert "LOOK    backup    there is no backup yet\n                  Next step: run make backup\n" in said


def _garble(one: Installation) -> None:
    with one.listener.database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)


def _old_backup(one: Installation) -> None:
    (made,) = (one.listener.folder / "backup").iterdir()
    made.rename(made.with_name(made.name.replace("-202", "-201", 1)))


def _no_rights(one: Installation) -> None:
    (one.listener.folder / "credentials").write_text("stranger,wrong\n")


def _without_backups(one: Installation) -> None:
    shutil.rmtree(one.listener.folder / "backup")


def _set_aside(one: Installation) -> None:
    shutil.copy(one.listener.database, one.listener.folder / "ECCTempHum-damaged-202601010000.sqlite3")


def _hanging(one: Installation) -> None:
    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    write(one.listener.health_file, Health(an_hour_ago, an_hour_ago, 3600, os.getpid(), broker_fault=None))


def _deaf(one: Installation) -> None:
    now = datetime.now(UTC).isoformat()
    deaf = Health(now, now, 3600, os.getpid(), broker_fault=None, hearing_fault="no answer")
    write(one.listener.health_file, deaf)


def _silent(one: Installation) -> None:
    now = datetime.now(UTC)
    since = (now - timedelta(hours=2)).isoformat()
    write(one.listener.health_file, Health(now.isoformat(), since, 3600, os.getpid(), broker_fault=None))


BROKEN: dict[str, tuple[Callable[[Installation], object], str, str, str]] = {
    "wrong setting": (lambda one: one.set(mqtt_port="many"), "settings", "broken", "mqtt_port"),
    "misspelt setting": (
        lambda one: one.set(mqtt_brokr="x"),
        "settings",
        "look",
        "did you mean ECC_MQTT_BROKER?",
    ),
    "malformed credentials": (
        lambda one: (one.listener.folder / "credentials").write_text("nothing\n"),
        "settings",
        "broken",
        "credentials",
    ),
    "missing credentials": (
        lambda one: (one.listener.folder / "credentials").unlink(),
        "settings",
        "broken",
        "credentials",
    ),
    "no broker": (lambda one: one.set(mqtt_port=free_port()), "broker", "broken", "can't be reached"),
    "wrong password": (_no_rights, "broker", "broken", "refuses user 'stranger'"),
    "unknown host": (
        lambda one: one.set(mqtt_broker="broker.invalid"),
        "broker",
        "broken",
        "can't be reached",
    ),
    "not running": (lambda _one: None, "listener", "broken", "isn't running"),
    "hanging": (_hanging, "listener", "broken", "hangs or has ended"),
    "deaf": (_deaf, "listener", "broken", "connected, but deaf"),
    "silent": (_silent, "listener", "look", "no message for 120 min"),
    "no backup": (lambda one: one.set(backup_folder=one.listener.folder), "backup", "look", "no backup yet"),
    "garbled database": (_garble, "database", "broken", "ECCTempHum"),
    "damaged file set aside": (_set_aside, "database", "broken", "is damaged"),
    "no database": (
        lambda one: one.set(database_file_path=one.listener.folder / "other.sqlite3"),
        "database",
        "broken",
        "other.sqlite3",
    ),
    "mail off": (
        lambda one: one.set(gmail_credentials_file_path=one.listener.folder / "none"),
        "mail",
        "look",
        "mail is off",
    ),
    "mail password": (
        lambda one: one.set(**one.server.settings("you@example.org", password="wrong")),  # noqa: S106 - it is
        "mail",
        "broken",
        "refuses the password",
    ),
    "mail port": (
        lambda one: one.set(smtp_port=free_port()),
        "mail",
        "broken",
        "nothing accepts connections",
    ),
    "mail host": (lambda one: one.set(smtp_host="mail.invalid"), "mail", "broken", "mail.invalid"),
    "old backup": (_old_backup, "backup", "broken", "the newest backup is of 201"),
    "backups off": (lambda one: one.set(automatic_backup="no"), "backup", "look", "is off"),
    "no folder for backups": (_without_backups, "folders", "broken", "is missing"),
    "limits": (
        lambda one: (one.listener.folder / "limits.ini").write_text("[Office]\ntoo clod = 3\n"),
        "limits",
        "look",
        "too clod",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found(stopped: Installation, name: str) -> None:
    breaks, part, state, text = BROKEN[name]
    breaks(stopped)
    lines = stopped.examine().get(part, [])
    assert any(one[0] == state and text in one[1] for one in lines), lines


def test_a_listener_that_waits_for_the_first_message_is_well(stopped: Installation) -> None:
    now = datetime.now(UTC).isoformat()
    write(stopped.listener.health_file, Health(now, now, 3600, os.getpid(), broker_fault=None))
    assert stopped.examine()["listener"] == [("well", "it is running; no message has arrived yet", "")]


def test_files_that_take_too_long_are_not_called_read(
    stopped: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load({"database_file_path": str(stopped.listener.database)})
    monkeypatch.setattr(doctor, "_READ_FILES_S", 0)
    (found,) = doctor._database(settings)
    assert found.text == "no damage was found, but only 0 of 1 files could be read through"
