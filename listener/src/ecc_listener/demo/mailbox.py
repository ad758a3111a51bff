"""Receives the messages that the listener sends, as a messenger would: by an apprise URL of this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Empty, SimpleQueue
from secrets import token_urlsafe
from types import TracebackType
from typing import NamedTuple, Self

_MAX_BYTES = 1_000_000


class ReceivedMessage(NamedTuple):
    """A message as it arrived."""

    subject: str
    text: str


class Mailbox:
    """A server on a free port; whoever doesn't know its path can't send to it."""

    def __init__(self, host: str) -> None:
        """Start to receive."""
        self._messages: SimpleQueue[ReceivedMessage] = SimpleQueue()
        path = f"/{token_urlsafe(16)}"
        messages = self._messages

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_POST(self) -> None:
                body = self.rfile.read(min(_MAX_BYTES, int(self.headers.get("Content-Length") or 0)))
                is_ours = self.path.rstrip("/") == path
                if is_ours:
                    message = json.loads(body)
                    messages.put(ReceivedMessage(str(message["title"]), str(message["message"])))
                self.send_response(200 if is_ours else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Log nothing: it would spoil the screen."""

        self._server = HTTPServer((host, 0), Handler)
        self.url = f"json://{host}:{self._server.server_port}{path}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        """Receive until the context ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop receiving."""
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> list[ReceivedMessage]:
        """Return the messages that have arrived since the last call."""
        taken = []
        while True:
            try:
                taken.append(self._messages.get_nowait())
            except Empty:
                return taken
