"""`ecc-listener replay`: decode the rejected messages again, after an update that understands more of them.

The SQLite file has one writer. While a listener holds it, the verb leaves a request beside the file, and the
listener's loop does the work.
"""

import time
from pathlib import Path

from ecc_listener.settings import Settings, read_decoder
from ecc_listener.storage import quarantine
from ecc_listener.storage.connection import StoreError, connect_readonly
from ecc_listener.storage.database_files import replay_request_path
from ecc_listener.storage.interface import open_storage
from ecc_listener.storage.lock import StoreHeldError
from ecc_listener.storage.store import Store

_TIMEOUT_S = 600.0


def main(settings: Settings, _arguments: dict[str, object]) -> int:
    """Replay, print the result, and return the exit status.

    Raises:
        StoreError: the database can't be used.

    """
    if settings.database_url is not None:
        storage = open_storage(settings, client_id="replay")
        _report(*storage.replay(read_decoder(settings).decode, time.time_ns() // 1000))
        storage.close()
        return 0
    database = settings.database_file_path
    before = _waiting(database)
    try:
        store = Store(database, settings.max_quarantine_size)
    except StoreHeldError:
        _ask_listener(replay_request_path(database))
    else:
        store.replay(read_decoder(settings).decode, time.time_ns() // 1000)
        store.close()
    after = _waiting(database)
    _report(before - after, after)
    return 0


def _report(replayed: int, waiting: int) -> None:
    print(f"Rejected messages that are readings now: {replayed:,}; still rejected: {waiting:,}.")


def _waiting(database: Path) -> int:
    connection = connect_readonly(database)
    try:
        return quarantine.waiting(connection)
    finally:
        connection.close()


def _ask_listener(request: Path) -> None:
    request.touch()
    until_s = time.monotonic() + _TIMEOUT_S
    while request.exists():
        if time.monotonic() > until_s:
            raise StoreError(f"the listener has not answered for {_TIMEOUT_S:.0f} s; see its log (make logs)")
        time.sleep(0.1)
