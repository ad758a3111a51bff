"""The mail of a message in the outbox, as a mail server accepts it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from ecc_listener.notifications.body import PICTURE_ID
from ecc_listener.notifications.outbox import Due

_NAME = "ECC listener"


def envelope(due: Due, sender: str, destinations: Sequence[str]) -> EmailMessage:
    """Return the mail. The library refuses line ends in headers, wherever they come from.

    It is marked as automatic, so that no out-of-office assistant answers. Its date and id are those of the
    message in the outbox, so the same message sent again is recognised as the same.
    """
    message = EmailMessage(SMTP)
    message["From"] = Address(_NAME, addr_spec=sender)
    message["To"] = tuple(Address(addr_spec=destination) for destination in destinations)
    message["Subject"] = due.message.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(due.added_us // 1_000_000, UTC))
    message["Message-ID"] = f"<{due.message_id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(due.message.plain, cte="quoted-printable")
    message.add_alternative(due.message.html, subtype="html", cte="quoted-printable")
    if due.message.picture:
        html = message.get_payload()[1]  # type: ignore[index]
        html.add_related(  # type: ignore[union-attr]
            due.message.picture,
            "image",
            "png",
            cid=f"<{PICTURE_ID}>",
            disposition="inline",
            filename="week.png",
        )
    return message
