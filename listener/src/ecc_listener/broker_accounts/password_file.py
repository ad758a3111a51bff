"""The broker's password file: the lines from the accounts in `secrets/`, and those of other accounts.

Format: https://mosquitto.org/man/mosquitto_passwd-1.html, lines of `user:hash`. What this program writes is
PBKDF2 with SHA-512 (`$7$`), which Mosquitto 2.0 and 2.1 both read. Other accounts, for example those of an
earlier broker, may have any hash that the broker understands; their lines stay as they are.
`mosquitto_passwd` refuses a file with comments, so this program knows its own lines by their iterations.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from ecc_listener.credentials import Credentials

PASSWORDS = "mosquitto_passwd"
_ITERATIONS = 1009
"""Of lines written here; `mosquitto_passwd` takes 101 or 1000."""
_ITERATIONS_BEFORE, _SALT_BYTES = 1000, 12
"""Of lines written by earlier versions; `mosquitto_passwd` takes a longer salt with 1000 iterations."""
_KEY_BYTES = 64
_SALTS_BYTES = (12, 64)
"""Mosquitto 2.1 stops at a hash with a salt of another length."""
_HASHES = ("$6$", "$7$", "$argon2id$")


def read_lines(secrets: Path) -> list[str]:
    """Return the lines of the password file without white space around them, and without empty ones.

    Raises:
        OSError: it can't be read.
        ValueError: it is not text.

    """
    path = secrets / PASSWORDS
    text = path.read_text("utf-8-sig") if path.exists() else ""
    return [line.strip() for line in text.split("\n") if line.strip()]


def own_names(lines: Iterable[str]) -> list[str]:
    """Return the users of those lines that this program did not write."""
    return [_name(line) for line in lines if not _is_comment(line) and not _is_written_here(line)]


def find_problems(lines: Iterable[str], accounts: dict[str, Credentials]) -> list[str]:
    """Return one line for each mistake: the broker would stop, or ignore the account, because of it.

    `accounts` are those in `secrets/`, by the names of their files.
    """
    problems: list[str] = []
    seen: set[str] = set()
    files = {account.username: (name, account) for name, account in accounts.items()}
    for number, line in enumerate(lines, 1):
        if _is_comment(line):
            continue
        name, _, stored = line.partition(":")
        where = f"secrets/{PASSWORDS}, line {number}"
        if not name or not _is_hash(stored):
            problems.append(
                f"{where} is not user:hash with a whole hash that begins with {', '.join(_HASHES)};"
                " mosquitto_passwd -U FILE hashes the passwords of a file that has none yet"
            )
        elif name in seen:
            problems.append(f"{where} is the second one of user {name}")
        elif name in files and not _is_from_secrets(line) and verify(files[name][1], stored) is False:
            problems.append(
                f"{where} gives user {name} another password than secrets/{files[name][0]}:"
                " write the right password there, or delete the line"
            )
        seen.add(name)
    return problems


def update(lines: Iterable[str], accounts: Iterable[Credentials]) -> list[str]:
    """Return the lines with those of the accounts, in place of what this program has written before."""
    by_name = {account.username: account for account in accounts}
    updated: list[str] = []
    for line in lines:
        account = by_name.get(_name(line)) if not _is_comment(line) else None
        if account is None:
            updated += [] if _is_written_here(line) else [line]
            continue
        del by_name[account.username]
        is_valid = verify(account, line.partition(":")[2])
        is_to_replace = is_valid is False or (_is_from_secrets(line) and not _is_written_here(line))
        updated.append(hash_line(account) if is_to_replace else line)
    return updated + [hash_line(account) for account in by_name.values()]


def without(lines: Iterable[str], name: str) -> list[str]:
    """Return the lines without those of a user."""
    return [line for line in lines if _is_comment(line) or _name(line) != name]


def hash_line(account: Credentials) -> str:
    """Return the line of an account, with a new salt."""
    salt = os.urandom(_SALT_BYTES)
    digest = _pbkdf2(account, salt, _ITERATIONS)
    parts = (base64.b64encode(one).decode() for one in (salt, digest))
    return f"{account.username}:$7${_ITERATIONS}${'$'.join(parts)}"


def verify(account: Credentials, stored: str) -> bool | None:
    """Return whether a hash is that of the account's password; None for a hash that isn't known here."""
    try:
        match stored.split("$"):
            case ["", "7", iterations, salt, digest]:
                found = _pbkdf2(account, base64.b64decode(salt), int(iterations))
            case ["", "6", salt, digest]:
                password = account.password.get_secret_value().encode()
                found = hashlib.sha512(password + base64.b64decode(salt)).digest()
            case _:
                return None
        return hmac.compare_digest(found, base64.b64decode(digest))
    except ValueError:
        return False


def _name(line: str) -> str:
    return line.partition(":")[0]


def _is_comment(line: str) -> bool:
    return line.startswith("#")


def _is_written_here(line: str) -> bool:
    return line.partition(":")[2].startswith(f"$7${_ITERATIONS}$")


def _is_from_secrets(line: str) -> bool:
    """Return whether this program has written a line, now or in an earlier version."""
    match line.partition(":")[2].split("$"):
        case ["", "7", iterations, salt, _]:
            before = iterations == str(_ITERATIONS_BEFORE) and len(salt) == _SALT_BYTES * 4 // 3
            return before or iterations == str(_ITERATIONS)
    return False


def _is_hash(stored: str) -> bool:
    """Return whether a broker understands a hash, as far as that can be known without the broker."""
    try:
        match stored.split("$"):
            case ["", "7", iterations, salt, digest]:
                parts, is_whole = (salt, digest), int(iterations) > 0
            case ["", "6", salt, digest]:
                parts, is_whole = (salt, digest), True
            case _:
                return stored.startswith(_HASHES[-1])
        salt_bytes, digest_bytes = (len(base64.b64decode(part, validate=True)) for part in parts)
    except ValueError:
        return False
    return is_whole and salt_bytes in _SALTS_BYTES and digest_bytes == _KEY_BYTES


def _pbkdf2(account: Credentials, salt: bytes, iterations: int) -> bytes:
    password = account.password.get_secret_value().encode()
    return hashlib.pbkdf2_hmac("sha512", password, salt, iterations, _KEY_BYTES)
