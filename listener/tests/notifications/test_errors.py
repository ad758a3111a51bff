import smtplib
import socket
import ssl

import pytest

from ecc_listener.notifications.errors import Server, explain

GMAIL = Server("smtp.gmail.com", 465, "tls", "rooms@gmail.com")
OWN = Server("mail.example.org", 587, "starttls", "rooms@example.org")
BAD_CREDENTIALS = (
    b"5.7.8 Username and Password not accepted. For more information, go to\n"
    b"5.7.8  https://support.google.com/mail/?p=BadCredentials a1-2 - gsmtp"
)
APP_PASSWORD = (
    b"5.7.9 Application-specific password required. For more information, go to\n"
    b"5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor a1-2 - gsmtp"
)


def certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code, error.verify_message = code, "reason"
    return error


@pytest.mark.parametrize(
    ("error", "server", "what", "step"),
    [
        (
            smtplib.SMTPAuthenticationError(535, BAD_CREDENTIALS),
            GMAIL,
            "refuses the password",
            "apppasswords",
        ),
        (
            smtplib.SMTPAuthenticationError(535, BAD_CREDENTIALS),
            GMAIL,
            "rooms@gmail.com",
            "2-step verification",
        ),
        (smtplib.SMTPAuthenticationError(534, APP_PASSWORD), GMAIL, "needs an app password", "apppasswords"),
        (
            smtplib.SMTPAuthenticationError(535, b"no"),
            OWN,
            "refuses the password",
            "correct address and password",
        ),
        (
            smtplib.SMTPSenderRefused(530, b"5.7.0 Authentication Required", "x"),
            GMAIL,
            "(530",
            "app password",
        ),
        (
            smtplib.SMTPSenderRefused(553, b"not yours", "x"),
            OWN,
            "the sender rooms@example.org (553",
            "provider",
        ),
        (smtplib.SMTPDataError(550, b"5.4.5 Daily user sending limit exceeded"), GMAIL, "limit", "wait"),
        (smtplib.SMTPConnectError(421, b"too many"), OWN, "can't accept the connection now", "wait"),
        (
            smtplib.SMTPServerDisconnected("Connection unexpectedly closed"),
            OWN,
            "closed the connection",
            "465",
        ),
        (
            smtplib.SMTPNotSupportedError("SMTP AUTH extension not supported"),
            OWN,
            "accepts no password",
            "provider",
        ),
        (TimeoutError(), GMAIL, "smtp.gmail.com:465 does not answer", "ECC_SMTP_PORT=587"),
        (TimeoutError(), OWN, "mail.example.org:587 does not answer", "ECC_SMTP_PORT=465"),
        (
            ConnectionRefusedError(),
            OWN,
            "nothing accepts connections at mail.example.org:587",
            "ECC_SMTP_PORT",
        ),
        (ConnectionResetError(), OWN, "closed the connection", "port and security"),
        (OSError(101, "Network is unreachable"), OWN, "Network is unreachable", "connected to the internet"),
        (socket.gaierror(socket.EAI_NONAME, "x"), OWN, "no mail server named", "ECC_SMTP_HOST"),
        (
            socket.gaierror(socket.EAI_AGAIN, "x"),
            OWN,
            "name server does not answer",
            "connected to the internet",
        ),
        (certificate(62), OWN, "is for another name", "ECC_SMTP_HOST"),
        (certificate(10), OWN, "is not valid at this time", "clock"),
        (certificate(18), OWN, "is not trusted (reason)", "ECC_SMTP_CA_FILE"),
        (UnicodeEncodeError("ascii", "ü", 0, 1, "x"), OWN, "contains a letter", "secrets/gmail_credentials"),
    ],
)
def test_every_fault_is_told_with_a_next_step(error: Exception, server: Server, what: str, step: str) -> None:
    fault = explain(error, server)
    assert what in fault.what
    assert step in fault.next_step


def test_only_a_refusal_of_the_letter_itself_is_of_the_letter() -> None:
    assert explain(smtplib.SMTPDataError(554, b"looks like spam"), OWN).is_of_message
    assert not explain(smtplib.SMTPDataError(451, b"later"), OWN).is_of_message
    assert not explain(smtplib.SMTPSenderRefused(550, b"no", "x"), OWN).is_of_message


def test_what_a_server_says_is_one_short_line_without_control_characters() -> None:
    said = explain(smtplib.SMTPDataError(554, b"\x1b[2J\r\nx" * 500), OWN).line
    assert said.isprintable()
    assert len(said) < 500
