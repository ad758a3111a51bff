"""What prevents a message from being sent, in words for a volunteer: what is wrong, and the next step."""

import smtplib
import socket
import ssl
from typing import NamedTuple

_HOSTNAME_MISMATCH, _EXPIRED, _NOT_YET_VALID = 62, 10, 9  # of OpenSSL's x509_vfy.h
_PERMANENT = 500
_AUTHENTICATION_CODES = {432, 454, 530, 534, 535, 538}
_MAX_ANSWER = 300
_GMAIL = "gmail.com"
_SECRET = "secrets/gmail_credentials"  # noqa: S105 - a file's name


class SendFault(NamedTuple):
    """Why a message was not accepted."""

    what: str
    next_step: str
    is_of_message: bool = False
    """Whether this message is refused, rather than the channel failing."""

    @property
    def line(self) -> str:
        """Both in one line."""
        return f"{self.what}. Next step: {self.next_step}"


class Server(NamedTuple):
    """How the mail server is reached; only for messages, without secrets."""

    host: str
    port: int
    security: str
    address: str

    @property
    def name(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"


def explain(error: Exception, server: Server) -> SendFault:
    """Return what an error of `smtplib`, `ssl` or the network means."""
    if isinstance(error, smtplib.SMTPException):
        return _of_smtp(error, server)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error, server)
    if isinstance(error, ssl.SSLError):
        return _of_tls(error, server)
    if isinstance(error, UnicodeError):
        step = f"use only ASCII letters in {_SECRET}, then run make restart"
        return SendFault("the address or the password contains a letter that no mail server accepts", step)
    return _of_network(error, server)


def _of_network(error: Exception, server: Server) -> SendFault:
    name = server.name
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return SendFault(
                f"the name {server.host} can't be looked up now, because the name server does not answer",
                "check that this machine is connected to the internet",
            )
        return SendFault(f"there is no mail server named {server.host}", "correct ECC_SMTP_HOST in .env")
    if isinstance(error, TimeoutError):
        return _silent(server)
    if isinstance(error, ConnectionRefusedError):
        return SendFault(
            f"nothing accepts connections at {name}", "correct ECC_SMTP_HOST and ECC_SMTP_PORT in .env"
        )
    if isinstance(error, ConnectionError):
        return _broke_off(server)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SendFault(
        f"{name} can't be reached: {reason}", "check that this machine is connected to the internet"
    )


def _of_certificate(error: ssl.SSLCertVerificationError, server: Server) -> SendFault:
    if error.verify_code == _HOSTNAME_MISMATCH:
        return SendFault(
            f"the certificate of {server.name} is for another name",
            "set ECC_SMTP_HOST to the name in the certificate; if it was that already, somebody may be "
            "intercepting the connection: the password was not sent",
        )
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return SendFault(
            f"the certificate of {server.name} is not valid at this time",
            "check the clock of this machine; if it is right, tell whoever runs the mail server",
        )
    return SendFault(
        f"the certificate of {server.name} is not trusted ({error.verify_message})",
        "if the server is your own, set ECC_SMTP_CA_FILE to its CA certificate; otherwise somebody may be "
        "intercepting the connection: the password was not sent",
    )


def _of_tls(error: ssl.SSLError, server: Server) -> SendFault:
    if server.security == "tls" and error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        step = "set ECC_SMTP_SECURITY=starttls if the port is 587, or the port to 465"
        return SendFault(f"{server.name} doesn't start with TLS", step)
    return SendFault(
        f"TLS with {server.name} fails ({error.reason or 'no reason given'})",
        f"check that port and security match; {_other_port(server)}",
    )


def _of_smtp(error: smtplib.SMTPException, server: Server) -> SendFault:
    if isinstance(error, smtplib.SMTPServerDisconnected):
        # The library turns a timeout into this.
        return _silent(server) if "timed out" in str(error) else _broke_off(server)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        if "STARTTLS" in str(error):
            step = "set ECC_SMTP_SECURITY=tls and the port to 465"
            return SendFault(f"{server.name} offers no STARTTLS, so nothing was sent", step)
        return SendFault(
            f"{server.name} accepts no password ({error})",
            "check what your provider says about port and security",
        )
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return _of_answer(code, _text(said), server, "the destination")
    if isinstance(error, smtplib.SMTPResponseException):
        return _of_response(error, server)
    step = "check that it is a mail server"
    return SendFault(f"{server.name} gives an answer that makes no sense ({_text(str(error))})", step)


def _of_response(error: smtplib.SMTPResponseException, server: Server) -> SendFault:
    said = _text(error.smtp_error)
    if error.smtp_code in _AUTHENTICATION_CODES or isinstance(error, smtplib.SMTPAuthenticationError):
        return _of_password(error.smtp_code, said, server)
    if isinstance(error, smtplib.SMTPDataError):
        return _of_answer(error.smtp_code, said, server, "the mail")
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _of_answer(error.smtp_code, said, server, f"the sender {server.address}")
    return _of_answer(error.smtp_code, said, server, "the connection")


def _of_password(code: int, answer: str, server: Server) -> SendFault:
    said = f"{server.host} refuses the password of {server.address} ({code} {answer})"
    if not server.host.endswith(_GMAIL):
        return SendFault(said, f"correct address and password in {_SECRET}, then run make restart")
    if code == 534:  # noqa: PLR2004 - an answer of SMTP
        said = f"{server.host} needs an app password, not the password of the account ({code})"
    return SendFault(
        said,
        "turn on 2-step verification in the Google account, create an app password at "
        f"https://myaccount.google.com/apppasswords, put its 16 letters into {_SECRET}, run make restart",
    )


def _of_answer(code: int, answer: str, server: Server, what: str) -> SendFault:
    if code < _PERMANENT:
        step = "wait: it is tried again automatically"
        return SendFault(f"{server.host} can't accept {what} now ({code} {answer})", step)
    said = f"{server.host} refuses {what} ({code} {answer})"
    if any(word in answer.lower() for word in ("too many", "limit", "quota")):
        step = "wait: it is tried again automatically; if this lasts, raise ECC_LAST_NOTICE_SILENCE_TIME"
        return SendFault(said, step)
    if what == "the destination":
        return SendFault(said, f"correct the destination in {_SECRET}, then run make restart")
    return SendFault(said, "read the answer, and ask your provider", is_of_message=what == "the mail")


def _silent(server: Server) -> SendFault:
    return SendFault(
        f"{server.name} does not answer",
        f"check that this machine has internet, and that firewall and provider allow port {server.port}; "
        f"{_other_port(server)}",
    )


def _broke_off(server: Server) -> SendFault:
    return SendFault(
        f"{server.name} closed the connection",
        f"if this lasts, check that port and security match; {_other_port(server)}",
    )


def _other_port(server: Server) -> str:
    if server.security == "tls":
        return "or try ECC_SMTP_PORT=587 with ECC_SMTP_SECURITY=starttls"
    return "or try ECC_SMTP_PORT=465 with ECC_SMTP_SECURITY=tls"


def _text(answer: bytes | str) -> str:
    """Return what a server says as one short line."""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= _MAX_ANSWER else line[: _MAX_ANSWER - 1] + "…"
