import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.mail_servers import MailServer


def run(folder: Path, settings: dict[str, object]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ECC_")}
    environment |= {f"ECC_{name.upper()}": str(value) for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "ecc_listener", "test-mail"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "abcdefghijklmnop" not in done.stdout + done.stderr
    assert done.stderr == ""
    return done


def test_a_test_mail_goes_to_every_destination(tmp_path: Path, server: MailServer) -> None:
    told = run(tmp_path, server.settings("you@example.org", "they@example.org"))
    assert told.returncode == 0
    assert told.stdout.splitlines()[1].startswith("ok      they@example.org: accepted")
    assert (
        server.subjects("you@example.org") == server.subjects("they@example.org") == ["Test mail: it works"]
    )
    body = server.mails[0][1].get_body(("plain",))
    assert body is not None
    assert "rooms@example.org, through localhost" in body.get_content()


def test_a_failure_is_the_reason_and_the_next_step(tmp_path: Path, server: MailServer) -> None:
    told = run(tmp_path, server.settings("you@example.org", password="wrong"))  # noqa: S106 - it is
    assert told.returncode == 1
    assert "FAILED  you@example.org: localhost refuses the password of rooms@example.org (535" in told.stdout
    assert "Next step: correct address and password in secrets/gmail_credentials" in told.stdout


def test_one_failure_of_two_is_a_failure(tmp_path: Path, server: MailServer) -> None:
    server.answers["wrong@example.org"] = "550 no such user"
    told = run(tmp_path, server.settings("you@example.org", "wrong@example.org"))
    assert told.returncode == 1
    assert told.stdout.startswith("ok      you@example.org")
    assert "FAILED  wrong@example.org: localhost refuses the destination" in told.stdout


def test_mail_that_is_off_is_told_with_the_next_step(tmp_path: Path) -> None:
    told = run(tmp_path, {"gmail_credentials_file_path": tmp_path / "none"})
    assert told.returncode == 1
    assert told.stdout.startswith("Mail is off: ")
    assert "Next step: write address,password" in told.stdout


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("gmail_credentials", "me@example.org,abcdefghijklmnop", "has 2 fields instead of four:"),
        ("apprise_urls", "abcdefghijklmnop", "line 1 is not an Apprise URL"),
        ("smtp_ca", "abcdefghijklmnop", "can't be read as a CA certificate"),
    ],
)
def test_a_malformed_file_is_told_without_what_stands_in_it(
    tmp_path: Path, server: MailServer, file: str, text: str, says: str
) -> None:
    (tmp_path / file).write_text(text)
    told = run(
        tmp_path, {**server.settings(), f"{file}_file{'' if file == 'smtp_ca' else '_path'}": tmp_path / file}
    )
    assert told.returncode == 1
    assert says in told.stdout
    assert "Next step: " in told.stdout
