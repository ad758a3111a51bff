"""`ecc-listener test-mail`: one test letter by every way; where one fails, the reason and the next step.

It reads the files as they are now, and asks neither the listener nor its database: what it says holds after
the next `make restart`.
"""

import secrets
import ssl
import time
from datetime import tzinfo

from ecc_listener.credentials import CredentialsError
from ecc_listener.local_time import day_and_time, local_zone
from ecc_listener.notifications.body import Block, Body
from ecc_listener.notifications.channels import Channels, read_channels
from ecc_listener.notifications.message import Message, message
from ecc_listener.notifications.outbox import Due
from ecc_listener.settings import Settings


def main(settings: Settings, _arguments: dict[str, object]) -> int:
    """Send it, and say what became of it; give 0 when it was taken everywhere."""
    try:
        channels = read_channels(settings)
        ssl.create_default_context(cafile=settings.smtp_ca_file)
    except CredentialsError as error:
        return _fail(str(error), "correct the file")
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        return _fail(
            f"smtp_ca_file {settings.smtp_ca_file} is no readable CA certificate: {reason}", "correct it"
        )
    if not channels.names:
        return _fail(
            f"Mail is off: {settings.gmail_credentials_file_path} is empty",
            "write address,password,None,destination into secrets/gmail_credentials, see secrets/README.md",
        )
    now_us = time.time_ns() // 1000
    sent = trial(channels, now_us, local_zone())
    message_id = secrets.token_hex(12)
    failed = False
    for outcome in channels.send([Due(channel, 1, message_id, now_us, sent) for channel in channels.names]):
        if outcome.fault:
            failed = True
            print(
                f"FAILED  {outcome.channel}: {outcome.fault.what}.\n"
                f"        Next step: {outcome.fault.next_step}."
            )
        else:
            print(f"ok      {outcome.channel}: taken; if nothing arrives within minutes, look among the spam")
    return 1 if failed else 0


def trial(channels: Channels, now_us: int, zone: tzinfo) -> Message:
    """Write a letter that says what it proves."""
    account = channels.account
    rows = [("To", ", ".join(channels.names)), ("Written", day_and_time(now_us, 0, zone))]
    if account:
        rows.insert(0, ("By", f"{account.server.address}, through {account.server.name}"))
    title = "Test mail: it works"
    lead = (
        "This is the test mail of the ECC listener. You read it, so it can tell you when something is wrong."
    )
    foot = "Sent by ecc-listener test-mail. No answer is needed."
    return message(title, Body(title, (lead,), (Block("", tuple(rows)),), None, (foot,)))


def _fail(what: str, next_step: str) -> int:
    print(f"{what}.\n  Next step: {next_step}.")
    return 1
