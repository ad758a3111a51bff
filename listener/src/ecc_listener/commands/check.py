"""`ecc-listener check`: find what is wrong with settings and secrets before anything is started.

`make up` and `make restart` run it in a container of its own, with `--secrets` and `--broker`: then it also
reads all accounts, and writes the broker's password file and access rules.
"""

import argparse
from difflib import get_close_matches
from pathlib import Path

from ecc_listener.broker_accounts import broker_files, password_file
from ecc_listener.credentials import Credentials, CredentialsError, read_web
from ecc_listener.notifications.wording import own_texts
from ecc_listener.notifications.wording.texts import check_sentences
from ecc_listener.settings import PREFIX, Settings, SettingsError, load, unknown_variables


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this verb."""
    add = parser.add_argument_group("check").add_argument
    add("--secrets", type=Path, metavar="FOLDER", help="also check the broker's accounts in this folder")
    add(
        "--broker",
        type=Path,
        metavar="FOLDER",
        help="and write its files, with the rules in this folder's conf.d",
    )


def main(flags: dict[str, object], arguments: dict[str, object]) -> int:
    """Print each problem in one line, and return 2 if there is one. `flags` are settings, still unchecked."""
    secrets, broker = arguments.get("secrets"), arguments.get("broker")
    settings, accounts, problems = find_problems(flags, secrets if isinstance(secrets, Path) else None)
    if settings is not None and not problems and isinstance(secrets, Path) and isinstance(broker, Path):
        try:
            broker_files.write_passwords(secrets, accounts.values())
            broker_files.write_rules(secrets, broker, accounts, settings.mqtt_topics)
        except (OSError, ValueError) as error:
            problems.append(f"the broker's files can't be written: {error}")
    # A sentence that can't be used is no reason to stop: the built-in one takes its place.
    for wrong in own_texts.read(own_texts.path_beside(settings.limits_file_path))[1] if settings else ():
        print(f"Note: {own_texts.NAME}: {wrong}; the built-in sentence is used in its place")
    for name in unknown_variables():
        print(f"Note: {name} is not a setting and has no effect{nearest(name)}")
    for problem in problems:
        print(problem)
    return 2 if problems else 0


def find_problems(
    flags: dict[str, object], secrets: Path | None
) -> tuple[Settings | None, dict[str, Credentials], list[str]]:
    """Return settings, the broker's accounts by the names of their files, and one line for each problem."""
    settings: Settings | None = None
    accounts: dict[str, Credentials] = {}
    problems: list[str] = []
    try:
        settings = load(flags, listening=True)
    except SettingsError as error:
        problems += error.problems
    if wrong_sentence := check_sentences():
        problems.append(wrong_sentence)
    if secrets is not None:
        accounts, wrong = broker_files.read_accounts(secrets)
        # The listener's own account is a setting, too, and checked above.
        problems += [one for one in wrong if settings is not None or broker_files.LISTENER not in one]
        problems += _web_problems(secrets)
        problems += _password_problems(secrets, accounts)
    return settings, accounts, problems


def _password_problems(secrets: Path, accounts: dict[str, Credentials]) -> list[str]:
    try:
        return password_file.find_problems(password_file.read_lines(secrets), accounts)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        return [f"secrets/{password_file.PASSWORDS} can't be read: {reason}"]


def _web_problems(secrets: Path) -> list[str]:
    try:
        read_web(secrets / "web_credentials")
    except CredentialsError as error:
        return [str(error).replace(str(secrets), "secrets")]
    return []


def nearest(name: str) -> str:
    """Return a question for the setting that a wrong name is most like; empty if there is none."""
    known = [PREFIX + one.upper() for one in Settings.model_fields]
    matches = get_close_matches(name, known, 1)
    return f"; did you mean {matches[0]}?" if matches else ""
