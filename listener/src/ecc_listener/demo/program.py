"""The listener or the page, by the demonstration's clock.

It is started as `python -m ecc_listener.demo.program VERB CLOCK SETTINGS [SOCKET]`. The clock is text from
`FastClock.to_text`, the settings are a JSON object, and the socket is the page's, by its descriptor. No
user's setting leads here.
"""

import json
import logging
import socket
import sys
from typing import Any

from ecc_listener import service
from ecc_listener.demo.clock import FastClock
from ecc_listener.settings import SettingsError, load
from ecc_listener.storage.connection import StoreError
from ecc_listener.web import server


def main(verb: str, clock_text: str, settings_text: str, descriptor: str = "") -> int:
    """Run `run` or `web` until SIGTERM; return the exit status."""
    clock = FastClock.from_text(clock_text)
    try:
        settings = load(json.loads(settings_text), listening=verb == "run")
        if verb == "run":
            _log_by(clock)
            return service.listen(settings, clock)
        listening = socket.socket(fileno=int(descriptor))
        return server.serve(settings, clock.wall_us, clock.to_browser(), listening)
    except SettingsError as error:
        print("\n".join(error.problems))
        return 2
    except StoreError as error:
        print(error)
        return 1


def _log_by(clock: FastClock) -> None:
    """Let log lines have the time of the clock."""

    def create(*arguments: Any, **named: Any) -> logging.LogRecord:  # noqa: ANN401 - as logging calls it
        record = logging.LogRecord(*arguments, **named)
        record.created = clock.wall_us() / 1e6
        return record

    logging.setLogRecordFactory(create)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
