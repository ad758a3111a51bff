"""`ecc-listener test-mail`: send one test message to every channel, or say why not and what to do.

It reads the files as they are now, without the listener or its database: what it says holds after the next
`make restart`.
"""

import secrets
import ssl
import time
from datetime import tzinfo

from ecc_listener.credentials import CredentialsError
from ecc_listener.local_time import day_and_time, local_zone
from ecc_listener.notifications.body import Block, Body
from ecc_listener.notifications.channels import Channels, read_channels
from ecc_listener.notifications.message import Message
from ecc_listener.notifications.message import message as create_message
from ecc_listener.notifications.outbox import Due
from ecc_listener.settings import Settings


def main(settings: Settings, _arguments: dict[str, object]) -> int:
    """Send the message and print the outcome; return 0 if every channel accepted it."""
    try:
        channels = read_channels(settings)
        ssl.create_default_context(cafile=settings.smtp_ca_file)
    except CredentialsError as error:
        return _fail(str(error), "correct the file")
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        return _fail(
            f"smtp_ca_file {settings.smtp_ca_file} can't be read as a CA certificate: {reason}",
            "correct the setting",
        )
    if not channels.names:
        return _fail(
            f"Mail is off: {settings.gmail_credentials_file_path} is empty",
            "write address,password,None,destination into secrets/gmail_credentials; see secrets/README.md",
        )
    now_us = time.time_ns() // 1000
    message = test_message(channels, now_us, local_zone())
    message_id = secrets.token_hex(12)
    failed = False
    for outcome in channels.send(
        [Due(channel, 1, message_id, now_us, message) for channel in channels.names]
    ):
        if outcome.fault:
            failed = True
            print(
                f"FAILED  {outcome.channel}: {outcome.fault.what}.\n"
                f"        Next step: {outcome.fault.next_step}."
            )
        else:
            print(f"ok      {outcome.channel}: accepted; if nothing arrives soon, check the spam folder")
    return 1 if failed else 0


def test_message(channels: Channels, now_us: int, zone: tzinfo) -> Message:
    """Return a message that says what it proves."""
    account = channels.account
    rows = [("To", channels.in_words), ("Sent", day_and_time(now_us, 0, zone))]
    if account:
        rows.insert(0, ("From", f"{account.server.address}, through {account.server.name}"))
    title = "Test mail: it works"
    lead = (
        "This is a test mail of the ECC listener. As you can read it, you will also be notified of problems."
    )
    foot = "Sent by ecc-listener test-mail. No reply is needed."
    return create_message(title, Body(title, (lead,), (Block("", tuple(rows)),), None, (foot,)))


def _fail(what: str, next_step: str) -> int:
    print(f"{what}.\n  Next step: {next_step}.")
    return 1
