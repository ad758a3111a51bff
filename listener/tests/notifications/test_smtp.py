import base64
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecc_listener.notifications import smtp
from ecc_listener.notifications.channels import Channels, read_channels
from ecc_listener.notifications.errors import SendFault
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.outbox import Due, Outcome
from ecc_listener.settings import load
from support.brokers import free_port
from support.mail_servers import ADDRESS, MailServer, talker

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
LETTER = Message("Büro: no reading since 14:20", "Grüße\n" + "x" * 2000, "<p>Grüße</p>", PICTURE)
NOW_US = 1_795_500_000_000_000


@pytest.fixture(params=["tls", "starttls"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MailServer]:
    made = MailServer(tmp_path / "mail", request.param)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[MailServer]:
    made = MailServer(tmp_path / "mail")
    made.start()
    yield made
    made.stop()


def channels(server: MailServer, *destinations: str, **changes: object) -> Channels:
    return read_channels(load({**server.settings(*destinations), **changes}))


def send(channels: Channels, message: Message = LETTER) -> list[Outcome]:
    return list(
        channels.send([Due(channel, 1, "0123456789abcdef", NOW_US, message) for channel in channels.names])
    )


def fault(channels: Channels) -> SendFault:
    outcomes = send(channels)
    assert len({outcome.fault for outcome in outcomes}) == 1
    assert outcomes[0].fault
    assert "abcdefghijklmnop" not in outcomes[0].fault.line
    return outcomes[0].fault


def test_a_letter_arrives_whole_with_the_right_headers(server: MailServer) -> None:
    assert send(channels(server, "you@example.org", "they@example.org")) == [
        Outcome("you@example.org", 1, None),
        Outcome("they@example.org", 1, None),
    ]
    assert [to for to, _ in server.mails] == ["you@example.org", "they@example.org"]
    message = server.mails[0][1]
    assert message["From"] == f"ECC listener <{ADDRESS}>"
    assert message["To"] == "you@example.org, they@example.org"
    assert message["Subject"] == LETTER.subject
    assert message["Message-ID"] == "<0123456789abcdef@example.org>"
    assert message["Date"] == "Tue, 24 Nov 2026 06:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n").rstrip("\n") == LETTER.plain
    assert html.get_content().strip() == LETTER.html
    (image,) = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert image.get_content() == PICTURE
    assert image["Content-ID"] == "<picture>"


def test_no_line_is_longer_than_smtp_allows(tls_server: MailServer) -> None:
    send(channels(tls_server))
    assert max(len(line) for line in tls_server.mails[0][1].as_bytes().splitlines()) <= 998


@pytest.mark.parametrize("text", ["a\r\nBcc: all@example.org", "a\nb", "a\rb"])
def test_a_line_end_in_a_subject_never_reaches_the_server(tls_server: MailServer, text: str) -> None:
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        send(channels(tls_server), LETTER._replace(subject=text))
    assert tls_server.mails == []


def test_a_wrong_password_is_told_with_the_next_step(server: MailServer) -> None:
    settings = server.settings(password="wrong")  # noqa: S106 - it is
    told = fault(read_channels(load(settings)))
    assert "refuses the password of rooms@example.org (535" in told.what
    assert "make restart" in told.next_step
    assert "wrong" not in told.line


def test_one_destination_that_is_refused_does_not_keep_the_other_from_its_mail(
    tls_server: MailServer,
) -> None:
    tls_server.answers["wrong@example.org"] = "550 5.1.1 no such user"
    outcomes = send(channels(tls_server, "wrong@example.org", "you@example.org"))
    assert [to for to, _ in tls_server.mails] == ["you@example.org"]
    assert outcomes[1] == Outcome("you@example.org", 1, None)
    assert outcomes[0].fault
    assert "refuses the destination (550 5.1.1 no such user)" in outcomes[0].fault.what
    assert not outcomes[0].fault.is_of_message


@pytest.mark.parametrize(
    ("answer", "says", "is_of_message"),
    [
        ("552 5.3.4 message too big", "refuses the mail (552 5.3.4 message too big)", True),
        ("550 5.4.5 Daily user sending limit exceeded", "sending limit exceeded", False),
        ("451 4.7.0 try again", "can't accept the mail now", False),
    ],
)
def test_what_the_server_says_to_the_letter_is_told(
    tls_server: MailServer, answer: str, says: str, *, is_of_message: bool
) -> None:
    tls_server.answers["DATA"] = answer
    told = fault(channels(tls_server))
    assert says in told.what
    assert told.is_of_message is is_of_message


def test_a_certificate_of_another_name_is_not_accepted(tmp_path: Path) -> None:
    server = MailServer(tmp_path / "mail", host="other.example.org")
    server.start()
    told = fault(channels(server))
    server.stop()
    assert "is for another name" in told.what
    assert "the password was not sent" in told.next_step


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(server: MailServer) -> None:
    told = fault(channels(server, smtp_ca_file=None))
    assert "is not trusted" in told.what
    assert "ECC_SMTP_CA_FILE" in told.next_step


def test_a_closed_port_is_told(tls_server: MailServer) -> None:
    assert (
        "nothing accepts connections at localhost:" in fault(channels(tls_server, smtp_port=free_port())).what
    )


def test_a_name_that_is_not_there_is_told(tls_server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    told = fault(channels(tls_server, smtp_host="smtp.gmial.com"))
    assert told.what == "there is no mail server named smtp.gmial.com"
    assert told.next_step == "correct ECC_SMTP_HOST in .env"


@pytest.mark.parametrize(
    ("security", "lines", "other"),
    [("tls", [], "starttls"), ("starttls", [], "tls"), ("starttls", [b"220 hello\r\n"], "tls")],
)
def test_a_server_that_hangs_is_given_up(
    tls_server: MailServer, monkeypatch: pytest.MonkeyPatch, security: str, lines: list[bytes], other: str
) -> None:
    monkeypatch.setattr(smtp, "ANSWER_WITHIN_S", 0.3)
    with talker(*lines) as port:
        told = fault(channels(tls_server, smtp_port=port, smtp_security=security))
    assert "does not answer" in told.what
    assert f"with ECC_SMTP_SECURITY={other}" in told.next_step


def test_a_server_that_says_one_letter_at_a_time_is_given_up_as_well(
    tls_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "DONE_WITHIN_S", 0.6)
    with talker(b"220-", *[b"x"] * 200, pause_s=0.05) as port:
        told = fault(channels(tls_server, smtp_port=port, smtp_security="starttls"))
    assert "closed the connection" in told.what


@pytest.mark.parametrize(
    ("security", "lines", "says", "step"),
    [
        ("tls", [b"220 plain ESMTP\r\n"], "doesn't start with TLS", "ECC_SMTP_SECURITY=starttls"),
        ("starttls", [b"220 a ESMTP\r\n250 a\r\n"], "offers no STARTTLS", "ECC_SMTP_SECURITY=tls"),
        ("starttls", [b"421 4.7.0 too many connections\r\n"], "can't accept the connection now", "wait"),
        ("starttls", [b"554 go away\r\n"], "refuses the connection (554 go away)", "provider"),
        ("starttls", [b"SSH-2.0-OpenSSH\r\n"], "", ""),
    ],
)
def test_what_is_no_mail_server_as_expected_is_told(
    tls_server: MailServer, security: str, lines: list[bytes], says: str, step: str
) -> None:
    with talker(*lines, hold_s=0) as port:
        told = fault(channels(tls_server, smtp_port=port, smtp_security=security))
    assert says in told.what
    assert step in told.next_step


def test_a_server_that_repeats_the_password_does_not_get_it_into_the_log(tls_server: MailServer) -> None:
    tls_server.answers["DATA"] = "554 you said abcdefghijklmnop"
    assert "you said ***" in fault(channels(tls_server)).what
