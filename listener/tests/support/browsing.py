"""Somebody in front of a real browser: Debian's Chromium, and the page as a process over real files."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request

from support.brokers import free_port, until
from support.listeners import Listener

PATIENCE_MS = 60_000
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium; nothing is ever downloaded."""
    program = shutil.which("chromium")
    assert program, "chromium is not installed; make test as root installs it"
    return playwright.chromium.launch(executable_path=program, args=ARGUMENTS)


class Site:
    """`ecc-listener web` beside a listener, on a port of its own."""

    def __init__(self, listener: Listener) -> None:
        self._port = free_port()
        self._environment = listener.environment | {"ECC_WEB_PORT": str(self._port)}
        self._folder = listener.folder
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        with (self._folder / "web.txt").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ecc_listener", "web"],
                env=self._environment,
                cwd=self._folder,
                stdout=output,
                stderr=output,
            )
        until(self._answers, 20)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(15)
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


class Visit:
    """One viewer's browser window, and what must not happen in it."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.faults: list[str] = []
        self._address = address
        context.on("request", self._note_request)
        context.on("console", lambda message: self._note(message.type in {"error", "warning"}, message.text))
        context.on("weberror", lambda fault: self._note(True, str(fault.error)))
        context.on("dialog", lambda dialog: self._note(True, f"dialog {dialog.message}"))

    def go(self, path: str) -> Page:
        """Open an address; come back when all of it is there."""
        self.page.goto(self._address + path)
        self.page.wait_for_load_state("load")
        if path.startswith("/history"):
            self.settled()
        return self.page

    def settled(self) -> None:
        """Wait until the charts show what is chosen."""
        self.page.wait_for_selector("body:not([aria-busy]) #state:not(:empty)")

    def width(self) -> int:
        """Give how wide the page is; more than the window means that it scrolls sideways."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth")
        return width

    def _note_request(self, request: Request) -> None:
        self._note(not request.url.startswith((self._address, f"blob:{self._address}")), request.url)

    def _note(self, is_fault: bool, words: str) -> None:  # noqa: FBT001 - a note's condition
        if is_fault:
            self.faults.append(words)


@contextmanager
def visit(browser: Browser, address: str, **options: Any) -> Iterator[Visit]:  # noqa: ANN401 - Playwright's
    """Lend a window of a browser that knows the viewer's zone already; nothing bad may happen in it."""
    given = {"viewport": {"width": 1280, "height": 900}, "timezone_id": "Europe/Berlin", "locale": "en-US"}
    context = browser.new_context(**(given | options))
    context.set_default_timeout(PATIENCE_MS)
    context.add_cookies([{"name": "zone", "value": "Europe%2FBerlin", "url": address}])
    try:
        visitor = Visit(context, address)
        yield visitor
        assert visitor.faults == [], visitor.faults
    finally:
        context.close()
