"""The health file: the listener replaces it every second, the healthcheck and the status read it.

Nothing here imports more than the standard library's small modules: the healthcheck starts every 20 seconds
for ten years.
"""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecc_listener.settings import Settings

_VARIABLE, _DEFAULT = "ECC_HEALTH_FILE_PATH", "ECCMQTTIoT_Health.json"
STALE_S = 30
"""The listener writes every second; a name look-up or a slow disk may delay it for some seconds."""


@dataclass(slots=True)
class Health:
    """The state of the listener; times are UTC in ISO format."""

    written_utc: str
    started_utc: str
    timer_check_s: float
    pid: int
    last_message_utc: str | None = None
    last_sensor: str | None = None
    broker_fault: str | None = "not connected yet"
    hearing_fault: str | None = None
    """Why nothing can arrive although it is connected."""
    store_fault: str | None = None
    mail_fault: str | None = None
    messages: int = 0
    rows: int = 0
    rejected: int = 0
    connections: int = 0
    stale_s: float = STALE_S
    """If the file is older than this, the listener hangs or has ended."""


def write(path: Path, health: Health) -> None:
    """Replace the file in one step, so that nobody reads half of it.

    Raises:
        OSError: the folder can't be written.

    """
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(asdict(health)))
    new.replace(path)


def read(path: Path) -> Health | None:
    """Return the content of the file; None if there is none that makes sense."""
    try:
        return Health(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def check(path: Path, now: datetime) -> str | None:
    """Return in one line what is wrong; None if all is well."""
    health = read(path)
    if health is None:
        return f"the listener isn't running: there is no health file {path}"
    return fault(health, now)


def is_fresh(health: Health, now: datetime) -> bool:
    """Return whether the listener that wrote this was running just now."""
    return abs(now - datetime.fromisoformat(health.written_utc)) <= timedelta(seconds=health.stale_s)


def fault(health: Health, now: datetime) -> str | None:
    """Return in one line what is wrong with the listener that wrote this; None if all is well."""
    last = f"last message {health.last_message_utc or 'none'}"
    if not is_fresh(health, now) or not _is_alive(health.pid):
        return f"the listener hangs or has ended: it last wrote at {health.written_utc}; {last}"
    if health.broker_fault:
        return f"not connected: {health.broker_fault}; {last}"
    if health.hearing_fault:
        return f"connected, but deaf: {health.hearing_fault}; {last}"
    if health.store_fault:
        return f"readings can't be stored: {health.store_fault}; {last}"
    silence = now - datetime.fromisoformat(health.last_message_utc or health.started_utc)
    if silence > timedelta(seconds=health.timer_check_s):
        return f"no message for {silence.total_seconds() / 60:.0f} min; {last}"
    return None


def _is_alive(pid: int) -> bool:
    # In its own container the check sees no other processes, and only the time decides.
    return Path(f"/proc/{pid}").exists() or not Path("/proc/self").exists()


def main(settings: "Settings | None" = None, _arguments: object = None) -> int:
    """Check the file, print the reason if something is wrong, and return the exit status.

    Without settings the file's path is taken from the environment alone, which spares most of the time.
    """
    path = settings.health_file_path if settings else Path(os.environ.get(_VARIABLE) or _DEFAULT)
    reason = check(path, datetime.now(UTC))
    health = None if reason else read(path)
    # A listener that can't send mail needs no restart, but somebody should know.
    print(reason or (f"ok, but mail {health.mail_fault}" if health and health.mail_fault else "ok"))
    return 1 if reason else 0


def utc_iso(time_us: int) -> str:
    """Return microseconds since 1970 as ISO text to the second."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).isoformat(sep=" ")
