"""Sends messages to a mail server, over TLS only: its certificate is checked before anything is said.

What blocks here blocks the mail thread alone, and that not for ever: each answer has its time-out, and so has
the whole.
"""

import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import NamedTuple

from pydantic import SecretStr

from ecc_listener.notifications.envelope import envelope
from ecc_listener.notifications.errors import SendFault, Server, explain
from ecc_listener.notifications.outbox import Due, Outcome

ANSWER_WITHIN_S = 30.0
DONE_WITHIN_S = 180.0


class Account(NamedTuple):
    """The mail server, who we are to it, and whom we write to."""

    server: Server
    password: SecretStr
    local_host_name: str | None
    destinations: tuple[str, ...]
    ca_file: Path | None
    choices: Mapping[str, str]
    """The kinds of messages that each destination gets."""

    def together_with(self, destination: str) -> list[str]:
        """Return the destinations that get the same messages as one."""
        return [one for one in self.destinations if self.choices[one] == self.choices[destination]]


def send(account: Account, messages: list[Due]) -> Iterator[Outcome]:
    """Send each message to its destination; yield the outcome as soon as it is known."""
    waiting = list(messages)
    try:
        with _logged_in(account) as client:
            while waiting:
                yield _deliver(client, account, waiting[0])
                del waiting[0]
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        fault = _explain(error, account)
        yield from (Outcome(due.channel, due.number, fault) for due in waiting)


def check(account: Account) -> SendFault | None:
    """Log in without sending anything; return what prevents it, or None."""
    try:
        with _logged_in(account):
            return None
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        return _explain(error, account)


def _deliver(client: "_Client", account: Account, due: Due) -> Outcome:
    message = envelope(due, account.server.address, account.together_with(due.channel))
    try:
        client.sendmail(account.server.address, [due.channel], message.as_bytes())
    except smtplib.SMTPServerDisconnected:
        raise
    except smtplib.SMTPException as error:
        return Outcome(due.channel, due.number, _explain(error, account))
    return Outcome(due.channel, due.number, None)


def _explain(error: Exception, account: Account) -> SendFault:
    fault = explain(error, account.server)
    # A server may repeat in its answer what it was told.
    return fault._replace(what=fault.what.replace(account.password.get_secret_value(), "***"))


@contextmanager
def _logged_in(account: Account) -> Iterator["_Client"]:
    context = ssl.create_default_context(cafile=account.ca_file)
    server = account.server
    client = _Client(server.host, context if server.security == "tls" else None, account.local_host_name)
    deadline = Timer(DONE_WITHIN_S, client.shut)
    deadline.daemon = True
    deadline.start()
    try:
        code, answer = client.connect(server.host, server.port)
        if code != 220:  # noqa: PLR2004 - the greeting of SMTP
            raise smtplib.SMTPConnectError(code, answer)
        if server.security == "starttls":
            client.ehlo_or_helo_if_needed()
            client.starttls(context=context)
        client.login(server.address, account.password.get_secret_value())
        yield client
        client.quit()
    finally:
        deadline.cancel()
        client.close()


class _Client(smtplib.SMTP):
    """An SMTP client that can be shut from another thread, whatever it is waiting for."""

    def __init__(self, host: str, context: ssl.SSLContext | None, local_host_name: str | None) -> None:
        """Speak TLS from the first byte on where there is a context; `host` must stand in the certificate."""
        super().__init__(local_hostname=local_host_name, timeout=ANSWER_WITHIN_S)
        self._host = host
        self._context = context

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        self.sock = plain
        if self._context is None:
            return plain
        self.sock = tls = self._context.wrap_socket(
            plain, server_hostname=host, do_handshake_on_connect=False
        )
        tls.do_handshake()
        return tls

    def shut(self) -> None:
        """End the connection; whoever waits for it gets an error."""
        if self.sock is not None:
            self.sock.shutdown(socket.SHUT_RDWR)
