"""Who may see the page: everybody, or those who know the password (HTTP Basic authentication).

Guessing is slow: after some wrong passwords from an address, every password from there is refused for a
minute, right or wrong.
"""

import base64
import binascii
from hmac import compare_digest
from ipaddress import ip_address

from starlette.exceptions import HTTPException

from ecc_listener.credentials import Credentials

MAX_GUESSES, _WINDOW_US = 10, 60_000_000
_MAX_ADDRESSES = 1_000


class BasicAuth:
    """Checks the password, and counts wrong ones by address."""

    def __init__(self, credentials: Credentials | None) -> None:
        """Take the credentials; None means that the page is open to everybody."""
        self.is_closed = credentials is not None
        self._wanted = b""
        if credentials:
            self._wanted = f"{credentials.username}:{credentials.password.get_secret_value()}".encode()
        self._guesses: dict[str, tuple[int, int]] = {}

    def check(self, authorization: str, address: str, now_us: int) -> None:
        """Return if a request may pass. The time is in microseconds.

        Raises:
            HTTPException: 401 without the right password, 429 after too many wrong ones.

        """
        if not self.is_closed:
            return
        network = _network(address)
        count, since_us = self._guesses.get(network, (0, now_us))
        wait_us = since_us + _WINDOW_US - now_us
        if not 0 < wait_us <= _WINDOW_US:
            count, since_us = 0, now_us
        if count >= MAX_GUESSES:
            seconds = max(1, wait_us // 1_000_000)
            raise HTTPException(
                429,
                f"Too many wrong passwords from this address. Try again in {seconds} s.",
                {"Retry-After": str(seconds)},
            )
        if authorization and compare_digest(_decoded(authorization), self._wanted):
            return
        if authorization:
            if len(self._guesses) >= _MAX_ADDRESSES:
                self._guesses.clear()
            self._guesses[network] = (count + 1, since_us)
        raise HTTPException(
            401,
            "The user name and password are in secrets/web_credentials on the server.",
            {"WWW-Authenticate": 'Basic realm="ECC sensors", charset="UTF-8"'},
        )


def _decoded(authorization: str) -> bytes:
    scheme, _, word = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _network(address: str) -> str:
    """Return the part of an address that a machine can't change at will."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(parsed.exploded)[:19]  # noqa: PLR2004 - of IPv6 the first 64 bits
