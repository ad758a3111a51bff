import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ecc_listener.credentials import CredentialsError, read_urls
from ecc_listener.notifications.apprise import check, send
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.outbox import Due
from support.brokers import free_port, until
from support.mail_servers import talker

NOW_US = 1_795_500_000_000_000
LETTER = Message("Büro: no reading since 14:20", "Put new batteries in. " * 100, "<p>x</p>")


class Hook(HTTPServer):
    """Somebody who takes messages as JSON."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.got: list[dict[str, str]] = []
        self.status = 200


class Answer(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def written(folder: Path, text: str) -> Path:
    (folder / "apprise_urls").write_text(text)
    return folder / "apprise_urls"


def test_each_line_gets_the_text_and_only_the_bad_one_fails(tmp_path: Path, hook: Hook) -> None:
    port = hook.server_port
    lines = read_urls(
        written(
            tmp_path,
            f"# our hook\njson://me:hunter2@127.0.0.1:{port}/\n\n"
            f"nosuch://hunter2@x\njson://:hunter2@127.0.0.1:{free_port()}/\n",
        )
    )
    channels = [line.channel for line in lines]
    assert channels == [
        f"line {n} of apprise_urls ({kind})" for n, kind in [(2, "json"), (4, "nosuch"), (5, "json")]
    ]
    good, unknown, closed = send(lines, [Due(channel, 1, "id", NOW_US, LETTER) for channel in channels])
    assert good.fault is None
    (got,) = hook.got
    assert got["title"] == LETTER.subject
    assert got["message"].startswith("Put new batteries in.")
    assert len(got["message"]) <= 1501
    assert unknown.fault
    assert "apprise does not know this kind of URL" in unknown.fault.line
    assert closed.fault
    assert "it does not accept the message" in closed.fault.line
    assert "hunter2" not in repr(lines) + unknown.fault.line + closed.fault.line


def test_a_refusal_is_a_fault(tmp_path: Path, hook: Hook) -> None:
    hook.status = 500
    lines = read_urls(written(tmp_path, f"json://127.0.0.1:{hook.server_port}/"))
    (outcome,) = send(lines, [Due(lines[0].channel, 1, "id", NOW_US, LETTER)])
    assert outcome.fault


def test_a_check_sends_nothing_and_names_the_lines_that_apprise_does_not_know(
    tmp_path: Path, hook: Hook
) -> None:
    lines = read_urls(written(tmp_path, f"json://127.0.0.1:{hook.server_port}/\nnosuch://x\n"))
    assert [outcome.channel for outcome in check(lines)] == [lines[1].channel]
    assert hook.got == []


def runs(process: Path) -> bool:
    """Say whether a process does, and isn't only waiting for its parent to look at it."""
    return process.exists() and "\nState:\tZ" not in (process / "status").read_text()


def send_one() -> None:
    """Send a letter by the first line of the file in this folder."""
    lines = read_urls(Path("apprise_urls"))
    list(send(lines, [Due(lines[0].channel, 1, "id", NOW_US, LETTER)]))


@pytest.mark.parametrize("text", ["", "\n# nothing\n\n"])
def test_without_lines_there_is_no_way(tmp_path: Path, text: str) -> None:
    assert read_urls(written(tmp_path, text)) == ()
    assert read_urls(tmp_path / "none") == ()


@pytest.mark.parametrize("line", ["hunter2", "ntfys:hunter2", "://hunter2", "ntfys://hunter2 x"])
def test_what_is_no_url_is_told_by_its_number_alone(tmp_path: Path, line: str) -> None:
    with pytest.raises(CredentialsError, match="line 2 ") as wrong:
        read_urls(written(tmp_path, f"ntfys://fine\n{line}\n"))
    assert "hunter2" not in str(wrong.value)


def test_what_sends_ends_with_the_listener(tmp_path: Path) -> None:
    with talker() as port:
        written(tmp_path, f"json://127.0.0.1:{port}/?rto=60")
        program = "from notifications import test_apprise; test_apprise.send_one()"
        folders = {"PYTHONPATH": str(Path(__file__).parents[1])}
        parent = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=os.environ | folders)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        until(children.read_text)
        child = Path("/proc") / children.read_text().strip()
        time.sleep(2)
        assert runs(child)
        parent.kill()
        parent.wait(10)
        until(lambda: not runs(child))


def test_after_a_url_may_stand_what_it_gets(tmp_path: Path) -> None:
    (tmp_path / "apprise_urls").write_text("ntfys://one\nntfys://two  system, too-cold\n")
    one, two = read_urls(tmp_path / "apprise_urls")
    assert (one.choice, two.choice) == ("", "system too_cold")
    assert two.url.get_secret_value() == "ntfys://two"
