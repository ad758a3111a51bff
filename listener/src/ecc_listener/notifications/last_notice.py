"""The last-notice file: what was sent last and when, as plain text.

The original kept a pickle there and loaded it. This program only writes the file.
"""

import os
from datetime import tzinfo
from pathlib import Path

from ecc_listener.local_time import day_and_time
from ecc_listener.notifications.notice import Notice
from ecc_listener.notifications.wording.texts import describe


def write(path: Path, notice: Notice | None, zone: tzinfo) -> None:
    """Replace the file in one step.

    Raises:
        OSError: the file can't be written.

    """
    lines = ["No notice has been sent yet."]
    if notice and notice.sent_us is not None:
        open_notice = notice._replace(resolved_us=None)
        words = describe(open_notice, notice.sent_us, zone)
        lines = [f"Last notice: {day_and_time(notice.sent_us, 0, zone)}", words.headline]
        lines += [words.cause] if words.cause else []
        lines.append(words.advice)
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
