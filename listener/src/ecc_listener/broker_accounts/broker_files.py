"""The broker's password file and access rules, from the accounts in `secrets/` and the topics.

The lines of the password file are in `password_file`. Access rules:
https://mosquitto.org/man/mosquitto-conf-5.html, `acl_file`.
"""

from collections.abc import Iterable
from pathlib import Path

from ecc_listener.broker_accounts import password_file
from ecc_listener.credentials import Credentials, CredentialsError, read_mqtt
from ecc_listener.readings.formats import OWN_NAME, parse

RULES = "mosquitto_acl"
OWN_RULES, TAKEN_OVER = "*.acl", "taken-over.acl"
LISTENER, SHARED = "mqtt_credentials", "sensor_credentials"
"""The files of the listener's account, and of the one that all sensors may share."""
_NOT_OF_BROKER = {"gmail_credentials", "web_credentials"}
USUAL_TOPIC = "ECCTempHum"
_HEAD = """\
# Written by make up from the accounts in secrets/ and ECC_MQTT_TOPICS in .env: don't edit it.
# Your own rules belong in files mosquitto/conf.d/*.acl.

# Each account may also publish under its own name.
"""
_MAX_NAME = 200
_WRITTEN_BEFORE = {"read #", "readwrite #", f"write {USUAL_TOPIC}"}
"""The rules that earlier versions wrote to `mosquitto/acl`; the generated ones include them."""


def read_accounts(secrets: Path) -> tuple[dict[str, Credentials], list[str]]:
    """Return the broker's accounts by the names of their files, and one line for each problem."""
    accounts: dict[str, Credentials] = {}
    problems: list[str] = []
    for path in sorted(secrets.glob("*_credentials")):
        if path.name in _NOT_OF_BROKER:
            continue
        try:
            account = read_mqtt(path)
        except CredentialsError as error:
            problems.append(str(error).replace(str(secrets), "secrets"))
            continue
        name = account.username
        if ":" in name or name.startswith("#") or len(name) > _MAX_NAME:
            problems.append(f"secrets/{path.name}: the user name must not have a colon or begin with #")
        elif path.name == file_of(name) and set("+#/") & set(name):
            # In a topic of its access rules, the name would stand for those of others.
            problems.append(f"secrets/{path.name}: the name of a sensor must not contain + # or /")
        accounts[path.name] = account
    return accounts, problems


def file_of(name: str) -> str:
    """Return the name of the file of a sensor's own account."""
    return f"sensor_{name}_credentials"


def write_passwords(secrets: Path, accounts: Iterable[Credentials]) -> None:
    """Write the accounts into the password file; the lines of other accounts stay.

    Raises:
        OSError: it can't be read or written.
        ValueError: it is not text.

    """
    write_lines(secrets, password_file.update(password_file.read_lines(secrets), accounts))


def write_lines(secrets: Path, lines: Iterable[str]) -> None:
    """Write the lines of the password file.

    Raises:
        OSError: it can't be written.

    """
    _write(secrets / password_file.PASSWORDS, "".join(f"{line}\n" for line in lines))


def write_rules(
    secrets: Path, mosquitto: Path, accounts: dict[str, Credentials], topics: Iterable[str]
) -> None:
    """Write the access rules: the listener's, the sensors', and the user's own from `conf.d/*.acl`.

    The account of one sensor may publish under its own name, and on topics without a name in them. An account
    that sensors share may publish on all topics except those that begin with an account's name. So may an
    account that is only in the password file, unless it has rules in `conf.d/*.acl`.

    Raises:
        OSError: they can't be read or written.

    """
    formats = [parse(entry) for entry in topics]
    own_topics = [one.topic_filter for one in formats if one.format == OWN_NAME]
    shared_topics = [one.topic_filter for one in formats if one.format != OWN_NAME]
    patterns = dict.fromkeys([f"{USUAL_TOPIC}/+", *own_topics])
    blocks = [_HEAD + "".join(f"pattern write {topic.replace('+', '%u')}\n" for topic in patterns)]
    _take_over(mosquitto, {account.username for account in accounts.values()})
    own_rules = [
        (path.name, path.read_text("utf-8-sig").strip())
        for path in sorted((mosquitto / "conf.d").glob(OWN_RULES))
    ]
    rights: dict[str, list[str]] = {}
    for name in password_file.own_names(password_file.read_lines(secrets)):
        if not any(_has_rules(text, name) for _, text in own_rules):
            rights[name] = [f"write {topic}" for topic in dict.fromkeys([USUAL_TOPIC, *shared_topics])]
    for file, account in accounts.items():
        name = account.username
        used = [_under(name, topic) for topic in shared_topics] if file == file_of(name) else shared_topics
        rights[name] = [f"write {topic}" for topic in dict.fromkeys([USUAL_TOPIC, *used])]
    if LISTENER in accounts:
        # It publishes only a probe, by which it finds out whether it may read.
        rights[accounts[LISTENER].username] = ["readwrite #"]
    blocks += [
        "".join([f"user {name}\n", *(f"topic {right}\n" for right in its)]) for name, its in rights.items()
    ]
    blocks += [f"# {name}\n{text}\n" for name, text in own_rules]
    _write(secrets / RULES, "\n".join(blocks))


def _under(name: str, topic_filter: str) -> str:
    """Return the part of a topic filter that is a sensor's own: its name in place of the first wildcard."""
    if "+" in topic_filter:
        return topic_filter.replace("+", name, 1)
    return topic_filter.replace("#", f"{name}/#")


def _has_rules(rules: str, name: str) -> bool:
    return any(line.split() == ["user", *name.split()] for line in rules.splitlines())


def _take_over(mosquitto: Path, users: set[str]) -> None:
    """Keep what somebody has added to `mosquitto/acl`, the rules of earlier versions, as rules of his own."""
    old, new = mosquitto / "acl", mosquitto / "conf.d" / TAKEN_OVER
    if new.exists() or not old.exists():
        return
    added: dict[str, list[str]] = {}
    user = ""
    for line in old.read_text("utf-8-sig").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "user":
            user = rest.strip()
        elif word == "topic" and (
            rest.strip() not in _WRITTEN_BEFORE or user not in {*users, "listener", "sensor"}
        ):
            added.setdefault(user, []).append(line.strip())
        elif word == "pattern":
            added.setdefault("", []).append(line.strip())
    if added:
        blocks = ("\n".join([*([f"user {name}"] if name else []), *lines]) for name, lines in added.items())
        new.write_text("# From mosquitto/acl, which is no longer used.\n" + "\n\n".join(blocks) + "\n")


def _write(path: Path, text: str) -> None:
    """Write in place: a container has this very file mounted."""
    if not path.exists() or path.read_text() != text:
        with path.open("r+" if path.exists() else "w") as file:
            file.write(text)
            file.truncate()
