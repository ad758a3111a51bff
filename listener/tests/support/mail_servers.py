"""A real SMTP server with TLS and AUTH for the tests, and some that misbehave."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from support.brokers import free_port, until
from support.certificates import certify

ADDRESS, APP_PASSWORD = "rooms@example.org", "abcd efgh ijkl mnop"


class MailServer:
    """One server on a port of its own; what it has taken is in `mails`, as (destination, message)."""

    def __init__(self, folder: Path, security: str = "tls", *, host: str = "localhost") -> None:
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.security = security
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self.mails: list[tuple[str, EmailMessage]] = []
        self.answers: dict[str, str] = {}
        """What is said to RCPT by destination, and to DATA under `DATA`, in place of 250."""
        self.on_mail: Callable[[], object] = lambda: None
        certify(folder, host)
        self._loop: asyncio.AbstractEventLoop | None = None

    def credentials(self, *destinations: str, password: str = APP_PASSWORD) -> Path:
        """Write the file of the account, for these destinations."""
        path = self.folder / "gmail_credentials"
        path.write_text(f"{ADDRESS},{password},None,{';'.join(destinations or ('you@example.org',))}\n")
        return path

    def settings(self, *destinations: str, password: str = APP_PASSWORD) -> dict[str, object]:
        """Give the settings of a listener that sends to this server."""
        return {
            "smtp_host": "localhost",
            "smtp_port": self.port,
            "smtp_security": self.security,
            "smtp_ca_file": self.ca_file,
            "gmail_credentials_file_path": self.credentials(*destinations, password=password),
        }

    def subjects(self, destination: str = "you@example.org") -> list[str]:
        return [str(message["Subject"]) for to, message in self.mails if to == destination]

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        loop = self._loop = asyncio.new_event_loop()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        starttls = self.security == "starttls"

        def protocol() -> SMTP:
            made = SMTP(
                self,
                hostname="test",
                tls_context=context if starttls else None,
                require_starttls=starttls,
                auth_required=True,
                authenticator=_authenticate,
                loop=loop,
            )
            # It knows of no TLS but its own, and would warn.
            made._auth_require_tls = starttls
            return made

        create = loop.create_server(protocol, "127.0.0.1", self.port, ssl=None if starttls else context)
        started = threading.Event()

        def run() -> None:
            server = loop.run_until_complete(create)
            started.set()
            loop.run_forever()
            server.close()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0.05))
            loop.close()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        assert started.wait(10)

    def stop(self) -> None:
        """Take no connections any more."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop = None

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.mails += [(address, message) for address in envelope.rcpt_tos]
            self.on_mail()
        return answer


def _authenticate(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: object
) -> AuthResult:
    assert isinstance(given, LoginPassword)
    right = ADDRESS.encode(), APP_PASSWORD.replace(" ", "").encode()
    return AuthResult(success=(given.login, given.password) == right, handled=False)


@contextmanager
def talker(*lines: bytes, pause_s: float = 0, hold_s: float = 30) -> Iterator[int]:
    """Give the port of a server that says some bytes to whoever comes, with pauses, and then nothing."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        taken: list[socket.socket] = []

        def serve() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                taken.append(connection)
                for line in lines:
                    connection.sendall(line)
                    if pause_s and ended.wait(pause_s):
                        return
                if hold_s == 0:
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            thread.join(10)
            until(lambda: not thread.is_alive())
            for connection in taken:
                connection.close()
