"""`ecc-listener web`: the page's server, with bounds for connections and slow requests."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ecc_listener.credentials import CredentialsError, read_web
from ecc_listener.notifications.wording import own_texts
from ecc_listener.settings import Settings, SettingsError
from ecc_listener.web.app import create

_MAX_CONNECTIONS = 600
_REQUEST_WITHIN_S = 10.0
_KEEP_S = 15
_STOP_WITHIN_S = 2


def main(settings: Settings, _arguments: dict[str, object]) -> int:
    """Serve the page until SIGTERM or SIGINT; return the exit status.

    Raises:
        SettingsError: the port is in use, or the credentials file is malformed.

    """
    return serve(settings, lambda: time.time_ns() // 1000)


def serve(
    settings: Settings,
    now_us: Callable[[], int],
    page_clock: str = "",
    listening: socket.socket | None = None,
) -> int:
    """Do the same by a clock, and on a socket that may be listening already.

    `page_clock` tells the clock to the browser, see static/clock.js.
    """
    try:
        credentials = read_web(settings.web_credentials_file_path)
    except CredentialsError as error:
        raise SettingsError([f"web_credentials_file_path: {error}"]) from None
    listening = listening or _bound(settings)
    own_texts.use(settings.limits_file_path)
    app = create(settings, credentials, now_us, page_clock)
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_level="error",
        access_log=False,
        server_header=False,
        # The client is whoever is connected; a header may say anything.
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEEP_S,
        timeout_graceful_shutdown=_STOP_WITHIN_S,
    )
    guarded = "with a password" if credentials else "without a password"
    print(f"The page is at {address(settings)}, {guarded}", flush=True)
    uvicorn.Server(config).run([listening])
    return 0


def address(settings: Settings) -> str:
    """Return the address of the page for a browser."""
    host = f"[{settings.web_host}]" if ":" in settings.web_host else settings.web_host
    return f"http://{host}:{settings.web_port}"


def _bound(settings: Settings) -> socket.socket:
    endpoint = settings.web_host, settings.web_port
    try:
        family = socket.getaddrinfo(*endpoint, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server(endpoint, family=family, backlog=256)
        # asyncio does this only for sockets that it creates itself. Without it a response waits 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        problem = f"web_port: can't use port {settings.web_port} of {settings.web_host}: {error.strerror}"
        raise SettingsError([f"{problem}; choose another --web_host or --web_port"]) from None
    return listening


class _Protocol(H11Protocol):
    """Ends a connection that never completes a request: many of those would keep everybody else out."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - narrower than asyncio's own
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._patience:
            self._patience.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            if self._patience:
                self._patience.cancel()
            self._patience = None
        elif self._patience is None:
            self._patience = self.loop.call_later(_REQUEST_WITHIN_S, self._give_up)

    def _give_up(self) -> None:
        self._patience = None
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.close()
