"""What the rest of the program asks of a database: few calls that say what, not how.

`store.Store` keeps it in a SQLite file, `postgres.store.PostgresStore` in PostgreSQL. The statements about
notices, messages and rejected messages are written once, for both: they use the names of the SQLite file's
tables, which PostgreSQL has as views, `?` for a value, and times as the tables' UTC text.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from ecc_listener.mqtt.deliveries import Packet
from ecc_listener.readings.reading import Reading
from ecc_listener.storage.quarantine import Arrival, Rejected
from ecc_listener.storage.statements import Connection

if TYPE_CHECKING:
    from ecc_listener.settings import Settings

Result = TypeVar("Result")


class Burst(NamedTuple):
    """What one transaction stores; the numbers of bursts increase."""

    number: int
    readings: list[Arrival]
    rejected: list[Rejected]
    packets: list[Packet]
    incomplete: Sequence[Rejected] = ()
    """The messages of some of the readings, with what these lack."""


class Storage(Protocol):
    """A database that one listener writes to. Every call may raise `StoreError`."""

    def recorded(self) -> list[tuple[int, list[Packet]]]:
        """Return the recorded packets, burst by burst: those that the broker may send again."""

    def commit(self, burst: Burst, confirmed: int) -> None:
        """Commit a burst, and remove the packets of bursts up to `confirmed` from the record.

        After an error the burst may be stored; then the same burst has to be committed again.
        """

    def forget(self, confirmed: int) -> None:
        """Remove the packets of bursts up to `confirmed` from the record."""

    def replay(self, decode: Callable[[str, bytes], Sequence[Reading]], now_us: int) -> tuple[int, int]:
        """Decode rejected messages again; return how many became readings, and how many did not."""

    def drop_rejected(self, older_than_us: int) -> None:
        """Delete rejected messages that arrived before a time."""

    def look(self, act: Callable[[Connection], Result]) -> Result:
        """Call `act` with a connection, for modules that only read; return its result."""

    def change(self, act: Callable[[Connection], Result]) -> Result:
        """Call `act` in one transaction, for modules that have their own table; return its result."""

    def close(self) -> None:
        """Close the database, so that another process can write to it."""


def open_storage(settings: "Settings", client_id: str | None = None) -> Storage:
    """Open the database that the settings name: PostgreSQL if there is a `database_url`, or else the file.

    `client_id` says whose delivery record it is, if not that of the client id in the settings.

    Raises:
        StoreError: it can't be used.

    """
    if settings.database_url is not None:
        from ecc_listener.storage.postgres.store import PostgresStore  # noqa: PLC0415 - who has no server

        url = settings.database_url.get_secret_value()
        return PostgresStore(url, client_id or settings.mqtt_client_id, settings.max_quarantine_size)
    from ecc_listener.storage.store import Store  # noqa: PLC0415 - which uses this module

    return Store(settings.database_file_path, settings.max_quarantine_size)
