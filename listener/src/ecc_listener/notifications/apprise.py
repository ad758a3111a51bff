"""Other ways than mail: a file with one apprise URL a line, such as `ntfys://topic`; empty: none.

The URLs hold passwords. Nothing but the line's number and its first word is ever logged, stored or shown.
"""

import json
import subprocess
import sys
from collections.abc import Iterator

from ecc_listener.credentials import UrlLine
from ecc_listener.notifications.errors import Fault
from ecc_listener.notifications.outbox import Due, Outcome

_DONE_WITHIN_S = 90
_MAX_TEXT = 1500
"""Characters of a letter that are sent: the least that messengers take is 2,000 with their own words."""
_FILE = "secrets/apprise_urls"


def send(lines: tuple[UrlLine, ...], messages: list[Due]) -> Iterator[Outcome]:
    """Send each letter to the line that is its way; return what became of it."""
    by_channel = {line.channel: line for line in lines}
    for due in messages:
        text = due.message.plain
        body = text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
        yield Outcome(due.channel, due.number, _ask(by_channel[due.channel], due.message.subject, body))


def check(lines: tuple[UrlLine, ...]) -> Iterator[Outcome]:
    """Return the lines that apprise does not understand, as the outcome of no letter; nothing is sent."""
    for line in lines:
        fault = _ask(line, "", "")
        if fault:
            yield Outcome(line.channel, 0, fault)


def _ask(line: UrlLine, title: str, body: str) -> Fault | None:
    """Let a process of its own send: apprise would double the listener's memory, and may log secrets."""
    told = json.dumps({"url": line.url.get_secret_value(), "title": title, "body": body})
    command = [sys.executable, "-m", "ecc_listener.notifications.apprise_process"]
    try:
        done = subprocess.run(
            command, input=told, capture_output=True, text=True, timeout=_DONE_WITHIN_S, check=False
        )
        answer = done.stdout.strip()
    except subprocess.TimeoutExpired:
        answer = "hangs"
    faults = {
        "sent": None,
        "unknown": Fault("apprise knows no such URL", f"correct it in {_FILE}, then make restart"),
        "hangs": Fault("it does not answer", "see that this machine has internet"),
    }
    refused = Fault(
        "it does not take the message",
        f"see that this machine has internet, and that what stands in {_FILE} is still valid",
    )
    return faults.get(answer, refused)
