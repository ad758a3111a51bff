"""The channels in the settings: mail to each destination, and each line of apprise URLs."""

from collections.abc import Iterator
from typing import NamedTuple

from ecc_listener.credentials import UrlLine, read_mail, read_urls
from ecc_listener.notifications import apprise, smtp
from ecc_listener.notifications.errors import Server
from ecc_listener.notifications.outbox import Due, Outcome
from ecc_listener.notifications.smtp import Account
from ecc_listener.recipients import in_words
from ecc_listener.settings import Settings


class Channels(NamedTuple):
    """Where messages are sent; without an account no mail is sent."""

    account: Account | None
    lines: tuple[UrlLine, ...]

    @property
    def names(self) -> list[str]:
        """The name of each channel in the outbox."""
        destinations = self.account.destinations if self.account else ()
        return [*dict.fromkeys((*destinations, *(line.channel for line in self.lines)))]

    @property
    def choices(self) -> dict[str, str]:
        """The kinds of messages that each channel gets, by its name; see `recipients`."""
        lines = {line.channel: line.choice for line in self.lines}
        return lines | dict(self.account.choices if self.account else {})

    @property
    def in_words(self) -> str:
        """All channels, each with what it gets unless that is everything."""
        return ", ".join(in_words(name, self.choices[name]) for name in self.names)

    def send(self, messages: list[Due]) -> Iterator[Outcome]:
        """Send each message to its channel; yield the outcome as soon as it is known."""
        by_mail = [due for due in messages if self.account and due.channel in self.account.destinations]
        if self.account and by_mail:
            yield from smtp.send(self.account, by_mail)
        yield from apprise.send(self.lines, [due for due in messages if due not in by_mail])

    def check(self) -> Iterator[Outcome]:
        """Yield the channels that can't work, as far as that is known before anything is sent."""
        return apprise.check(self.lines)


def read_channels(settings: Settings) -> Channels:
    """Read the secrets.

    Raises:
        CredentialsError: one of them is malformed.

    """
    mail = read_mail(settings.gmail_credentials_file_path)
    account = None
    if mail:
        server = Server(settings.smtp_host, settings.smtp_port, settings.smtp_security, mail.address)
        account = Account(
            server,
            mail.password,
            mail.local_host_name,
            mail.destinations,
            settings.smtp_ca_file,
            mail.choices,
        )
    return Channels(account, read_urls(settings.apprise_urls_file_path))
