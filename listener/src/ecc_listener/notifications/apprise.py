"""Channels other than mail: a file with one apprise URL per line, such as `ntfys://topic`.

The URLs contain passwords. Only the number of a line and its first word are ever logged, stored or shown.
"""

import json
import subprocess
import sys
from collections.abc import Iterator

from ecc_listener.credentials import UrlLine
from ecc_listener.notifications.errors import SendFault
from ecc_listener.notifications.outbox import Due, Outcome

_DONE_WITHIN_S = 90
_MAX_TEXT = 1500
"""Characters of a message that are sent: messengers accept at least 2,000, including their own words."""
_FILE = "secrets/apprise_urls"


def send(lines: tuple[UrlLine, ...], messages: list[Due]) -> Iterator[Outcome]:
    """Send each message to its line; yield the outcome."""
    by_channel = {line.channel: line for line in lines}
    for due in messages:
        text = due.message.plain
        body = text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
        yield Outcome(due.channel, due.number, _ask(by_channel[due.channel], due.message.subject, body))


def check(lines: tuple[UrlLine, ...]) -> Iterator[Outcome]:
    """Yield the lines that apprise does not understand, as outcomes without a message; nothing is sent."""
    for line in lines:
        fault = _ask(line, "", "")
        if fault:
            yield Outcome(line.channel, 0, fault)


def _ask(line: UrlLine, title: str, body: str) -> SendFault | None:
    """Send in a separate process: apprise would double the listener's memory, and may log secrets."""
    request = json.dumps({"url": line.url.get_secret_value(), "title": title, "body": body})
    command = [sys.executable, "-m", "ecc_listener.notifications.apprise_process"]
    try:
        done = subprocess.run(
            command, input=request, capture_output=True, text=True, timeout=_DONE_WITHIN_S, check=False
        )
        answer = done.stdout.strip()
    except subprocess.TimeoutExpired:
        answer = "hangs"
    faults = {
        "sent": None,
        "unknown": SendFault(
            "apprise does not know this kind of URL", f"correct it in {_FILE}, then run make restart"
        ),
        "hangs": SendFault("it does not answer", "check that this machine has internet"),
    }
    refused = SendFault(
        "it does not accept the message",
        f"check that this machine has internet, and that the URL in {_FILE} is still valid",
    )
    return faults.get(answer, refused)
