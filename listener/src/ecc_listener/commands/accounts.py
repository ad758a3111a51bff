"""`ecc-listener accounts`: add, remove or list the sensors' accounts at the broker, or change a password.

`make add-sensor` and its relatives run it in a container of its own, and let the broker read its files again.
A password is created here and goes nowhere but into its file.
"""

import argparse
import re
import secrets as random
import string
from datetime import UTC, datetime
from pathlib import Path

from ecc_listener.broker_accounts import broker_files, password_file
from ecc_listener.commands import account_list
from ecc_listener.commands.check import find_problems
from ecc_listener.credentials import Credentials
from ecc_listener.readings.formats import OWN_NAME, parse
from ecc_listener.readings.topics import matches
from ecc_listener.settings import Settings

ACTIONS = ("add", "remove", "rotate", "list")
_NAME = re.compile(r"\w([\w .-]{0,38}[\w.-])?")
_ALLOWED = (
    "allowed are 1 to 40 letters and digits, and between them spaces and the characters . - _;"
    " the name is also part of the topic, and must be the one that the sensor sends"
)
_PASSWORD_LENGTH = 24


class RefusedError(Exception):
    """Raised when the action can't be done; its text is one line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    add = parser.add_argument_group("accounts").add_argument
    add("action", choices=ACTIONS, help="what to do")
    add("--name", default="", help="the account: for add, the sensor's name")
    add("--secrets", type=Path, default=Path("secrets"), metavar="FOLDER", help="default: %(default)s")
    add(
        "--broker",
        type=Path,
        default=Path("mosquitto"),
        metavar="FOLDER",
        help="the broker's configuration, default: %(default)s",
    )
    add("--broker_log", type=Path, metavar="FILE", help="for list: the broker's log")


def main(flags: dict[str, object], arguments: dict[str, object]) -> int:
    """Do it and print what follows from it; return 2 and print the problems if something is wrong."""
    secrets, mosquitto = Path(str(arguments["secrets"])), Path(str(arguments["broker"]))
    action, name = str(arguments["action"]), str(arguments["name"])
    settings, accounts, problems = find_problems(flags, secrets)
    if action == "list":
        log = arguments.get("broker_log")
        database = settings.database_file_path if settings else None
        lines = account_list.describe(
            secrets, accounts, database, log if isinstance(log, Path) else None, datetime.now(UTC)
        )
        print("\n".join([*(f"Note: {problem}" for problem in problems), *lines]))
        return 0
    if settings is None or problems:
        print("\n".join(problems))
        return 2
    try:
        said = _change(action, name, secrets, accounts)
        # They are read again as `make up` will read them.
        accounts, problems = broker_files.read_accounts(secrets)
        broker_files.write_passwords(secrets, accounts.values())
        broker_files.write_rules(secrets, mosquitto, accounts, settings.mqtt_topics)
    except RefusedError as error:
        problems = [str(error)]
    except (OSError, ValueError) as error:
        problems = [f"the broker's files can't be written: {error}"]
    if problems:
        print("\n".join(problems))
        return 2
    print("\n".join([said, *(_topic_note(name, settings) if action == "add" else ())]))
    return 0


def _change(action: str, name: str, secrets: Path, accounts: dict[str, Credentials]) -> str:
    """Change the files of accounts, and return the name of the file with the new password, if there is one.

    Raises:
        RefusedError: it can't be done.
        OSError: a file can't be written.

    """
    if action == "add":
        return _add(name, secrets, accounts)
    lines = password_file.read_lines(secrets)
    files = [file for file, account in accounts.items() if account.username == name]
    if not files and name not in password_file.own_names(lines):
        raise RefusedError(f"the broker has no account {name!r}; make list-sensors shows all")
    if broker_files.LISTENER in files:
        raise RefusedError(
            f"{name!r} is the listener's own account: to change its password, edit secrets/"
            f"{broker_files.LISTENER}, then run make restart"
        )
    if action == "remove":
        if broker_files.SHARED in files:
            raise RefusedError(
                f"{name!r} is the account that sensors share: make rotate-password NAME={name!r} keeps out"
                " whoever knows its password"
            )
        for file in files:
            (secrets / file).unlink()
        broker_files.write_lines(secrets, password_file.without(lines, name))
        return ""
    files = files or [_free_file(name, secrets, "{}_credentials")]
    password = _password()
    for file in files:
        _write_account(secrets / file, name, password)
    broker_files.write_lines(secrets, password_file.without(lines, name))
    return files[0]


def _add(name: str, secrets: Path, accounts: dict[str, Credentials]) -> str:
    if not _NAME.fullmatch(name):
        raise RefusedError(f"{name!r} can't be the name of an account; {_ALLOWED}")
    known = {account.username for account in accounts.values()}
    if name in known or name in password_file.own_names(password_file.read_lines(secrets)):
        raise RefusedError(
            f"the broker already has an account {name!r}; make rotate-password gives it a new password"
        )
    file = _free_file(name, secrets, broker_files.file_of("{}"))
    _write_account(secrets / file, name, _password())
    return file


def _free_file(name: str, secrets: Path, form: str) -> str:
    file = form.format(name)
    if not _NAME.fullmatch(name) or (secrets / file).exists():
        raise RefusedError(f"secrets/{file} exists, or can't be the name of a file")
    return file


def _password() -> str:
    return "".join(random.choice(string.ascii_letters + string.digits) for _ in range(_PASSWORD_LENGTH))


def _write_account(path: Path, name: str, password: str) -> None:
    """Write a file that only its owner can read, in one step."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(0o600)
    new.write_text(f"{name},{password}\n")
    new.replace(path)


def _topic_note(name: str, settings: Settings) -> list[str]:
    topic = f"{broker_files.USUAL_TOPIC}/{name}"
    if any(matches(parse(entry).topic_filter, topic) for entry in settings.mqtt_topics):
        return []
    missing = f"{broker_files.USUAL_TOPIC}/+={OWN_NAME}"
    return [f"Note: the listener doesn't hear the topic {topic}; add {missing} to ECC_MQTT_TOPICS in .env"]
