"""The broker's password file and access rules, from the accounts in `secrets/` and the topics.

Password file: https://mosquitto.org/man/mosquitto_passwd-1.html; PBKDF2 with SHA-512 (`$7$`) is what
Mosquitto 2.0 and 2.1 both read. Access rules: https://mosquitto.org/man/mosquitto-conf-5.html, `acl_file`.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from ecc_listener.credentials import Credentials, CredentialsError, read_mqtt
from ecc_listener.readings.formats import parse

PASSWORDS, RULES = "mosquitto_passwd", "mosquitto_acl"
OWN_RULES, TAKEN_OVER = "*.acl", "taken-over.acl"
_LISTENER, _NOT_OF_BROKER = "mqtt_credentials", {"gmail_credentials", "web_credentials"}
_USUAL_TOPIC = "ECCTempHum"
_HEAD = f"""\
# Written by make up from the accounts in secrets/ and ECC_MQTT_TOPICS in .env: don't edit it.
# Your own rules belong in files mosquitto/conf.d/*.acl.

# Each account may also publish below its own name.
pattern write {_USUAL_TOPIC}/%u
"""
_ITERATIONS = 1000
_KEY_BYTES = 64
_MAX_NAME = 200
_WRITTEN_BEFORE = {"read #", "readwrite #", f"write {_USUAL_TOPIC}"}
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
        accounts[path.name] = account
    return accounts, problems


def write_passwords(secrets: Path, accounts: Iterable[Credentials]) -> None:
    """Add accounts to the password file, and update changed passwords; all other lines stay.

    Raises:
        OSError: it can't be read or written.

    """
    path = secrets / PASSWORDS
    known = path.read_text("utf-8-sig") if path.exists() else ""
    lines = dict(line.strip().split(":", 1) for line in known.splitlines() if ":" in line)
    for account in accounts:
        password = account.password.get_secret_value()
        if not _fits(password, lines.get(account.username, "")):
            salt = os.urandom(12)
            parts = (base64.b64encode(one).decode() for one in (salt, _digest(password, salt, _ITERATIONS)))
            lines[account.username] = f"$7${_ITERATIONS}${'$'.join(parts)}"
    _write(path, "".join(f"{name}:{line}\n" for name, line in lines.items()))


def write_rules(
    secrets: Path, mosquitto: Path, accounts: dict[str, Credentials], topics: Iterable[str]
) -> None:
    """Write the access rules: the listener's, the sensors', and the user's own from `conf.d/*.acl`.

    Raises:
        OSError: they can't be read or written.

    """
    filters = [parse(entry).topic_filter for entry in topics]
    sensors_topics = dict.fromkeys([_USUAL_TOPIC, *filters])
    blocks = [_HEAD]
    listener = accounts.get(_LISTENER)
    for account in {one.username: one for one in accounts.values()}.values():
        is_listener = listener is not None and account.username == listener.username
        # It publishes only a probe, by which it finds out whether it may read.
        rights = ["readwrite #"] if is_listener else [f"write {topic}" for topic in sensors_topics]
        blocks.append("".join([f"user {account.username}\n", *(f"topic {right}\n" for right in rights)]))
    _take_over(mosquitto, {account.username for account in accounts.values()})
    blocks += [
        f"# {path.name}\n{path.read_text('utf-8-sig').strip()}\n"
        for path in sorted((mosquitto / "conf.d").glob(OWN_RULES))
    ]
    _write(secrets / RULES, "\n".join(blocks))


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


def _fits(password: str, line: str) -> bool:
    """Return whether a line of the password file is that of a password."""
    try:
        _, kind, iterations, salt, stored = line.split("$")
        expected = base64.b64decode(stored)
        return kind == "7" and hmac.compare_digest(
            _digest(password, base64.b64decode(salt), int(iterations)), expected
        )
    except ValueError:
        return False


def _digest(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, _KEY_BYTES)
