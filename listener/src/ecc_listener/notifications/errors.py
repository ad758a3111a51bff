"""What keeps a mail from being sent, in words for a volunteer: what is wrong, and the next step."""

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


class Fault(NamedTuple):
    """Why a letter was not taken."""

    what: str
    next_step: str
    is_of_letter: bool = False
    """Whether it is this letter that is refused, and not the way."""

    @property
    def line(self) -> str:
        """Return both in one line."""
        return f"{self.what}. Next step: {self.next_step}"


class Server(NamedTuple):
    """How the mail server is reached; for words only, without any secret."""

    host: str
    port: int
    security: str
    address: str

    @property
    def name(self) -> str:
        """Return host and port."""
        return f"{self.host}:{self.port}"


def explain(error: Exception, server: Server) -> Fault:
    """Return what an error of `smtplib`, `ssl` or the network means."""
    if isinstance(error, smtplib.SMTPException):
        return _of_smtp(error, server)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error, server)
    if isinstance(error, ssl.SSLError):
        return _of_tls(error, server)
    if isinstance(error, UnicodeError):
        step = f"write only ASCII letters into {_SECRET}, then make restart"
        return Fault("address or password holds a letter that no mail server takes", step)
    return _of_network(error, server)


def _of_network(error: Exception, server: Server) -> Fault:
    name = server.name
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return Fault(
                f"the name {server.host} can't be looked up now: the name server does not answer",
                "see that this machine is connected to the internet",
            )
        return Fault(f"there is no mail server of the name {server.host}", "correct ECC_SMTP_HOST in .env")
    if isinstance(error, TimeoutError):
        return _silent(server)
    if isinstance(error, ConnectionRefusedError):
        return Fault(
            f"nothing takes connections at {name}", "correct ECC_SMTP_HOST and ECC_SMTP_PORT in .env"
        )
    if isinstance(error, ConnectionError):
        return _broke_off(server)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Fault(f"{name} can't be reached: {reason}", "see that this machine is connected to the internet")


def _of_certificate(error: ssl.SSLCertVerificationError, server: Server) -> Fault:
    if error.verify_code == _HOSTNAME_MISMATCH:
        return Fault(
            f"the certificate of {server.name} is for another name",
            "write into ECC_SMTP_HOST the name that the certificate has; if that was so, somebody may be in "
            "between: the password was not sent",
        )
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return Fault(
            f"the certificate of {server.name} is not valid at this time",
            "see whether the clock of this machine is right; if it is, tell who runs the mail server",
        )
    return Fault(
        f"the certificate of {server.name} is not trusted ({error.verify_message})",
        "if the server is your own, set ECC_SMTP_CA_FILE to its CA certificate; if not, somebody may be in "
        "between: the password was not sent",
    )


def _of_tls(error: ssl.SSLError, server: Server) -> Fault:
    if server.security == "tls" and error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        step = "set ECC_SMTP_SECURITY=starttls if the port is 587, or the port to 465"
        return Fault(f"{server.name} doesn't begin with TLS", step)
    return Fault(
        f"TLS with {server.name} fails ({error.reason or 'no reason given'})",
        f"see that port and security fit each other; {_other_port(server)}",
    )


def _of_smtp(error: smtplib.SMTPException, server: Server) -> Fault:
    if isinstance(error, smtplib.SMTPServerDisconnected):
        # The library makes a time-out into this.
        return _silent(server) if "timed out" in str(error) else _broke_off(server)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        if "STARTTLS" in str(error):
            step = "set ECC_SMTP_SECURITY=tls and the port to 465"
            return Fault(f"{server.name} offers no STARTTLS, so nothing was sent", step)
        return Fault(
            f"{server.name} takes no password ({error})", "see what your provider says of port and security"
        )
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return _of_answer(code, _text(said), server, "the destination")
    if isinstance(error, smtplib.SMTPResponseException):
        return _of_response(error, server)
    step = "see that it is a mail server"
    return Fault(f"{server.name} says what makes no sense ({_text(str(error))})", step)


def _of_response(error: smtplib.SMTPResponseException, server: Server) -> Fault:
    said = _text(error.smtp_error)
    if error.smtp_code in _AUTHENTICATION_CODES or isinstance(error, smtplib.SMTPAuthenticationError):
        return _of_password(error.smtp_code, said, server)
    if isinstance(error, smtplib.SMTPDataError):
        return _of_answer(error.smtp_code, said, server, "the mail")
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _of_answer(error.smtp_code, said, server, f"the sender {server.address}")
    return _of_answer(error.smtp_code, said, server, "the connection")


def _of_password(code: int, answer: str, server: Server) -> Fault:
    said = f"{server.host} refuses the password of {server.address} ({code} {answer})"
    if not server.host.endswith(_GMAIL):
        return Fault(said, f"correct address and password in {_SECRET}, then make restart")
    if code == 534:  # noqa: PLR2004 - an answer of SMTP
        said = f"{server.host} wants an app password, not the password of the account ({code})"
    return Fault(
        said,
        "turn 2-step verification on in the Google account, make an app password at "
        f"https://myaccount.google.com/apppasswords, write its 16 letters into {_SECRET}, then make restart",
    )


def _of_answer(code: int, answer: str, server: Server, what: str) -> Fault:
    if code < _PERMANENT:
        step = "wait: it is tried again by itself"
        return Fault(f"{server.host} can't take {what} now ({code} {answer})", step)
    said = f"{server.host} refuses {what} ({code} {answer})"
    if any(word in answer.lower() for word in ("too many", "limit", "quota")):
        step = "wait: it is tried again by itself; if it lasts, raise ECC_LAST_NOTICE_SILENCE_TIME"
        return Fault(said, step)
    if what == "the destination":
        return Fault(said, f"correct the destination in {_SECRET}, then make restart")
    return Fault(said, "see what the answer says, and ask your provider", is_of_letter=what == "the mail")


def _silent(server: Server) -> Fault:
    return Fault(
        f"{server.name} does not answer",
        f"see that this machine has internet, and that firewall and provider let port {server.port} out; "
        f"{_other_port(server)}",
    )


def _broke_off(server: Server) -> Fault:
    return Fault(
        f"{server.name} broke the connection off",
        f"if it goes on: see that port and security fit each other; {_other_port(server)}",
    )


def _other_port(server: Server) -> str:
    if server.security == "tls":
        return "or try ECC_SMTP_PORT=587 with ECC_SMTP_SECURITY=starttls"
    return "or try ECC_SMTP_PORT=465 with ECC_SMTP_SECURITY=tls"


def _text(answer: bytes | str) -> str:
    """Make one short line of what a server says."""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= _MAX_ANSWER else line[: _MAX_ANSWER - 1] + "…"
