"""The credentials files, in the original's formats: one line, fields separated by commas.

White space, line ends and a byte order mark around a field are ignored. No error text contains anything
from a file.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from ecc_listener.recipients import EVERYTHING, ChoiceError, parse_choice

_MAX_BYTES = 10_000
_MAIL_FORM = "address,password,local host name,destination"


class CredentialsError(ValueError):
    """Raised when a credentials file is missing or malformed."""


class Credentials(NamedTuple):
    """The account of the listener at the broker, or of a viewer at the web page."""

    username: str
    password: SecretStr


class MailCredentials(NamedTuple):
    """The account of the listener at the mail server, and the addresses that it writes to."""

    address: str
    password: SecretStr
    local_host_name: str | None
    destinations: tuple[str, ...]
    choices: Mapping[str, str]
    """For each destination the kinds of messages that it gets, see `recipients`."""


def read_mqtt(path: Path) -> Credentials:
    """Read `username,password`; the password may contain commas.

    Raises:
        CredentialsError: the file is missing or malformed.

    """
    return _pair(path, _read(path, "username,password"))


def read_web(path: Path) -> Credentials | None:
    """Read the page's `username,password`; None, for no password, if the file is missing or empty.

    Raises:
        CredentialsError: the file is malformed.

    """
    if not path.exists():
        return None
    line = _read(path, "username,password")
    return _pair(path, line) if line else None


def read_mail(path: Path) -> MailCredentials | None:
    """Read `address,password,local host name,destination`; None (mail is off) if missing or empty.

    The local host name may be empty or "None"; several destinations are separated by semicolons. After an
    address, separated by a space, may stand the kinds of messages that it gets. The spaces of an app password
    are removed.

    Raises:
        CredentialsError: the file is malformed.

    """
    if not path.exists():
        return None
    line = _read(path, _MAIL_FORM)
    if not line:
        return None
    fields = [field.strip() for field in line.split(",")]
    if len(fields) != len(_MAIL_FORM.split(",")):
        raise CredentialsError(f"{path} has {len(fields)} fields instead of four: {_MAIL_FORM}")
    address, password, local, destination = fields
    recipients = [one.split(None, 1) for one in destination.split(";") if one.strip()] or [[""]]
    if not all(map(_is_address, (address, *(recipient[0] for recipient in recipients)))):
        raise CredentialsError(f"{path}: address and destination must be e-mail addresses")
    if not password:
        raise CredentialsError(f"{path}: the password is empty")
    local_host_name = None if local in {"", "None"} else local
    try:
        choices = {recipient: parse_choice("".join(words)) for recipient, *words in recipients}
    except ChoiceError as error:
        raise CredentialsError(f"{path}: after an address, {error}") from None
    return MailCredentials(
        address, SecretStr(password.replace(" ", "")), local_host_name, tuple(choices), choices
    )


def _is_address(text: str) -> bool:
    return "@" in text.strip("@") and not any(character.isspace() for character in text)


class UrlLine(NamedTuple):
    """A line of the file with a URL."""

    number: int
    url: SecretStr
    choice: str = EVERYTHING
    """The kinds of messages that it gets, see `recipients`."""

    @property
    def channel(self) -> str:
        """Return a name for it that does not reveal the URL."""
        return f"line {self.number} of apprise_urls ({self.url.get_secret_value().partition(':')[0].lower()})"


def read_urls(path: Path) -> tuple[UrlLine, ...]:
    """Read the Apprise URLs; none if the file is missing. Lines that begin with # are comments.

    After a URL, separated by a space, may stand the kinds of messages that it gets.

    Raises:
        CredentialsError: it can't be read, or a line is not a URL; the error has the number of the line.

    """
    try:
        lines = path.read_text("utf-8-sig").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"{path} can't be read as text ({type(error).__name__})") from None
    urls = []
    for number, line in enumerate((line.strip() for line in lines), 1):
        if not line or line.startswith("#"):
            continue
        url, *words = line.split(None, 1)
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://\S+", url):
            raise CredentialsError(f"{path}: line {number} is not an Apprise URL, such as ntfys://topic")
        try:
            choice = parse_choice("".join(words))
        except ChoiceError as error:
            # Without the word: it may be part of a password with a space in it.
            fault = "has after its URL something that is not a kind of message"
            raise CredentialsError(f"{path}: line {number} {fault}; {error.hint}") from None
        urls.append(UrlLine(number, SecretStr(url), choice))
    return tuple(urls)


def _pair(path: Path, line: str) -> Credentials:
    username, comma, password = line.partition(",")
    if not comma or not username.strip() or not password.strip():
        raise CredentialsError(f"{path} must have the form username,password")
    return Credentials(username.strip(), SecretStr(password.strip()))


def _read(path: Path, form: str) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CredentialsError(f"the file {path} does not exist; create it with {form}") from None
    except OSError as error:
        raise CredentialsError(f"{path} can't be read: {error.strerror}; it must contain {form}") from None
    try:
        text = data[:_MAX_BYTES].decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        text = "\0"
    if len(data) > _MAX_BYTES or not text.isprintable():
        raise CredentialsError(f"{path} is not one line of text; it must have the form {form}")
    return text
