"""Somebody who looks at the page: the real application over real files, with a clock that is handed in."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ecc_listener import health
from ecc_listener.credentials import Credentials
from ecc_listener.readings.form import decode
from ecc_listener.readings.reading import Reading
from ecc_listener.settings import load
from ecc_listener.storage.quarantine import Arrival, Rejected
from ecc_listener.storage.store import Burst, Store
from ecc_listener.web.app import create
from support.brokers import OFFICE

if TYPE_CHECKING:
    from ecc_listener.web.snapshot import Observer

NOON_US = 1_767_268_800_000_000
"""2026-01-01 12:00 UTC."""
MINUTE_US = 60_000_000
READING = decode(OFFICE)


class House:
    """A data folder and the page that shows it; `now_us` is the time there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "ECCTempHum.sqlite3"
        self.health_path = folder / "health.json"
        self.now_us = NOON_US
        self._burst = 0

    def stored(self, *arrivals: tuple[int, Reading], rejected: tuple[Rejected, ...] = ()) -> None:
        """Let the listener's store commit readings, each with the time it arrived."""
        store = Store(self.database, 10_000_000)
        self._burst += 1
        store.commit(Burst(self._burst, [Arrival(*one) for one in arrivals], list(rejected), []), self._burst)
        store.close()

    def well(self, **changes: object) -> None:
        """Let the listener say that it is well, but for some changes."""
        written = health.utc_iso(self.now_us)
        told = health.Health(written, written, 1200.0, 1, written, "ECCTH01", None)
        for name, value in changes.items():
            setattr(told, name, value)
        health.write(self.health_path, told)

    def app(self, password: str | None = None) -> Starlette:
        """Make the page's application; its user is `church`."""
        settings = load(
            {
                "database_file_path": self.database,
                "health_file_path": self.health_path,
                "limits_file_path": self.folder / "limits.ini",
            }
        )
        credentials = Credentials("church", SecretStr(password)) if password else None
        app = create(settings, credentials, lambda: self.now_us)
        self.observer: Observer = app.state.observer
        return app

    def viewer(self, password: str | None = None, **headers: str) -> TestClient:
        """Give somebody with a browser."""
        app = self.app(password)
        return TestClient(app, "http://127.0.0.1:8080", raise_server_exceptions=False, headers=headers)


def text_of(answer: httpx.Response) -> str:
    """Give a page's text, without tags and with white space folded."""
    import re  # noqa: PLC0415
    from html import unescape  # noqa: PLC0415

    return " ".join(
        unescape(re.sub(r"<(script|style|svg).*?</\1>|<[^>]*>", " ", answer.text, flags=re.DOTALL)).split()
    )


def program(viewer: TestClient, address: str) -> Any:  # noqa: ANN401 - JSON
    """Ask as a program does."""
    answer = viewer.get(address, headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()
