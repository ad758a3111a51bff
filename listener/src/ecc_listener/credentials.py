"""The credentials files, in the original's formats: one line, fields separated by commas.

White space, line ends and a byte order mark around a field are ignored. No text of a problem holds what
stands in a file.
"""

from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

_MAX_BYTES = 10_000
_MAIL_FORM = "address,password,local host name,destination"


class CredentialsError(ValueError):
    """Raised when a credentials file is missing or malformed."""


class Credentials(NamedTuple):
    """Who the listener is to the broker, or a viewer to the page."""

    username: str
    password: SecretStr


class MailCredentials(NamedTuple):
    """Who the listener is to the mail server, and whom it writes to."""

    address: str
    password: SecretStr
    local_host_name: str | None
    destinations: tuple[str, ...]


def read_mqtt(path: Path) -> Credentials:
    """Read `username,password`; the password may hold commas.

    Raises:
        CredentialsError: there is no such file, or it has not this form.

    """
    return _pair(path, _read(path, "username,password"))


def read_web(path: Path) -> Credentials | None:
    """Read the page's `username,password`; no file, or an empty one: None, the page asks for none.

    Raises:
        CredentialsError: there is something in it, but not of this form.

    """
    if not path.exists():
        return None
    line = _read(path, "username,password")
    return _pair(path, line) if line else None


def read_mail(path: Path) -> MailCredentials | None:
    """Read `address,password,local host name,destination`; no file, or an empty one: None, mail is off.

    The local host name may be empty or None; several destinations are separated by semicolons. The spaces of
    an app password are for reading only.

    Raises:
        CredentialsError: there is something in it, but not of this form.

    """
    if not path.exists():
        return None
    line = _read(path, _MAIL_FORM)
    if not line:
        return None
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != len(_MAIL_FORM.split(",")):
        raise CredentialsError(f"{path} has {len(fields)} fields, not the four of {_MAIL_FORM}")
    address, password, local, destination = fields
    destinations = tuple(one.strip() for one in destination.split(";") if one.strip())
    for one in (address, *(destinations or ("",))):
        if "@" not in one.strip("@") or any(character.isspace() for character in one):
            raise CredentialsError(f"{path}: address and destination must be mail addresses")
    if not password:
        raise CredentialsError(f"{path}: the password is empty")
    local_host_name = None if local in {"", "None"} else local
    return MailCredentials(address, SecretStr(password.replace(" ", "")), local_host_name, destinations)


def _pair(path: Path, line: str) -> Credentials:
    username, comma, password = line.partition(",")
    if not comma or not username.strip() or not password.strip():
        raise CredentialsError(f"{path} has not the form username,password")
    return Credentials(username.strip(), SecretStr(password.strip()))


def _read(path: Path, form: str) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CredentialsError(f"there is no file {path}; write {form} into it") from None
    except OSError as error:
        raise CredentialsError(f"{path} can't be read: {error.strerror}; it holds {form}") from None
    try:
        text = data[:_MAX_BYTES].decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        text = "\0"
    if len(data) > _MAX_BYTES or not text.isprintable():
        raise CredentialsError(f"{path} is not one line of text; it holds {form}")
    return text
