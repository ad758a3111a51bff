"""Which sensors and locations are muted, and until when: a small file beside the limits file."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

_NAME = "ECCMQTTIoT_Mutes.json"
_MAX_BYTES = 100_000


def mutes_path(limits_file: Path) -> Path:
    """Return the path of the file that belongs to a limits file."""
    return limits_file.with_name(_NAME)


def read_mutes(path: Path) -> dict[str, datetime]:
    """Return when each mute ends, by the name of its sensor or location; none if there is no file.

    Raises:
        ValueError: the file's content makes no sense.
        OSError: the file can't be read.

    """
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MAX_BYTES))
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} is not an object of names and times")  # noqa: TRY004 - a wrong content
    return {str(name): datetime.fromisoformat(str(until)).astimezone(UTC) for name, until in found.items()}


def write_mutes(path: Path, mutes: Mapping[str, datetime], now: datetime) -> None:
    """Replace the file in one step, without the mutes that are over.

    Raises:
        OSError: the folder can't be written.

    """
    lasting = {name: until.isoformat(timespec="seconds") for name, until in mutes.items() if until > now}
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(lasting, ensure_ascii=False, indent=1), encoding="utf-8")
    new.replace(path)
