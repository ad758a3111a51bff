"""PURE: the words for what can be wrong with the whole: network, broker, disk, database, mail."""

from collections.abc import Callable

from ecc_listener.local_time import duration
from ecc_listener.notifications.notice import Words
from ecc_listener.notifications.wording.phrases import NOTHING_TO_DO, Context, Rows, counted, size

_US = 1_000_000


def _sentence(fault: str) -> str | None:
    return f"{fault[:1].upper()}{fault[1:].rstrip('.')}." if fault else None


def all_silent(scene: Context) -> Words:
    """Say: no message from anybody."""
    since = scene.hour(scene.notice.since_us)
    last = scene.number("last_us")
    rows: Rows = (("Last message", scene.when(int(last)) if last else "none yet"),)
    sensors = scene.number("sensors")
    if sensors:
        rows += (("Sensors known", f"{sensors:.0f}"),)
    if scene.notice.resolved_us is not None:
        return Words(f"All sensors: readings again after {scene.lasted}", None, NOTHING_TO_DO, rows)
    fault = scene.text("broker_fault")
    if "refuses user" in fault:
        return Words(
            f"No readings since {since}: the broker refuses the listener's password",
            _sentence(fault),
            "Name and password in secrets/mqtt_credentials must be those of the broker; then: make restart",
            rows,
        )
    if "refuses" in fault:
        return Words(
            f"No readings since {since}: the broker refuses the listener",
            _sentence(fault),
            "See the broker's configuration and its acl; then: make restart",
            rows,
        )
    if fault:
        return Words(
            f"No readings since {since}: the broker can't be reached",
            _sentence(fault),
            "See whether the broker runs (make status), and start it if not (make up). "
            "Is it on another machine: is that one on, and the network between?",
            rows,
        )
    if not sensors:
        return Words(
            "No sensor has sent a reading yet",
            "No sensor is set up, or none of them reaches the broker.",
            "Enter address, port, user and password in the sensors; `make up` prints them. "
            "`make logs` shows who was refused.",
            rows,
        )
    return Words(
        f"All sensors: no reading since {since}",
        "The broker is well, but no sensor speaks: most likely their access point or its power is off, "
        "or the Wi-Fi has a new password.",
        "See whether the access point has power and its Wi-Fi is there. `make logs` shows who was refused.",
        rows,
    )


def store(scene: Context) -> Words:
    """Say: readings can't be stored."""
    if scene.notice.resolved_us is not None:
        return Words(
            f"Readings are stored again after {scene.lasted}",
            None,
            f"What the broker kept meanwhile is being stored. {NOTHING_TO_DO}",
            (),
        )
    return Words(
        f"Readings can't be stored since {scene.hour(scene.notice.since_us)}",
        _sentence(scene.text("fault")),
        "Run `make status`: it says what is wrong; most often the disk is full (`df -h`). "
        "Until that is mended the broker keeps the readings, up to 100,000 of them.",
        (),
    )


def disk(scene: Context) -> Words:
    """Say: the disk is filling up."""
    free, days = scene.number("free_bytes") or 0, scene.number("days_left")
    rows: Rows = (("Free", size(free)), ("Folder", scene.text("folder")))
    if scene.notice.resolved_us is not None:
        return Words(f"The disk has room again: {size(free)} free", None, NOTHING_TO_DO, rows)
    left = "" if days is None else f", full in about {counted(max(1, days), 'day')}"
    return Words(
        f"The disk is almost full: {size(free)} free{left}",
        None,
        "Delete or move what isn't needed: `du -xh / | sort -h | tail` shows what is large. "
        "When it is full, readings can't be stored any more.",
        rows,
    )


def quarantine(scene: Context) -> Words:
    """Say: many messages are no readings."""
    count = scene.number("count") or 0
    rows: Rows = (("Topic", scene.text("topic")), ("Reason", scene.text("reason")))
    if scene.notice.resolved_us is not None:
        return Words(
            "Messages are readings again: hardly any was rejected for a day", None, NOTHING_TO_DO, rows
        )
    return Words(
        f"{count:.0f} messages of one day are no readings",
        f"Most of them on topic {scene.text('topic')}: {scene.text('reason')}.",
        "A board is set up wrongly or has a newer firmware. They are kept in the quarantine, "
        "table ECCRejected; after an update `make replay` reads them again.",
        rows,
    )


def backup(scene: Context) -> Words:
    """Say: there is no recent backup."""
    newest = scene.number("newest_us")
    rows: Rows = (("Newest backup", scene.when(int(newest)) if newest else "none"),)
    if scene.notice.resolved_us is not None:
        return Words("There is a recent backup again", None, NOTHING_TO_DO, rows)
    return Words(
        f"No backup for {duration(scene.now_us - int(newest))}" if newest else "There is no backup yet",
        None,
        "Run `make backup`: it says what keeps it from working.",
        rows,
    )


def archive(scene: Context) -> Words:
    """Say: the database can't be archived."""
    if scene.notice.resolved_us is not None:
        return Words("The database has been archived", None, NOTHING_TO_DO, ())
    return Words(
        f"The database waits for its archive since {scene.hour(scene.notice.since_us)}",
        scene.text("reason") or None,
        "Close the program that has the database open. Readings go on all the same.",
        (),
    )


def damaged(scene: Context) -> Words:
    """Say: a damaged database lies aside."""
    rows: Rows = (("File", scene.text("files")),)
    if scene.notice.resolved_us is not None:
        return Words("The damaged database has been read as far as possible", None, NOTHING_TO_DO, ())
    return Words(
        "The database was damaged and has been moved aside",
        "The power went, the disk is failing, or another program wrote to it.",
        "New readings go into a new one. Run `make recover`: it puts back what can be read of the old one.",
        rows,
    )


def limits_file(scene: Context) -> Words:
    """Say: the limits file has mistakes."""
    rows: Rows = (("File", scene.text("file")),)
    if scene.notice.resolved_us is not None:
        return Words("The limits file is right again", None, NOTHING_TO_DO, rows)
    return Words(
        "The limits file has a mistake",
        scene.text("problems") or None,
        "Correct that line; the file explains itself in its comments. What is right in it counts meanwhile.",
        rows,
    )


def mail(scene: Context) -> Words:
    """Say: mail can't be sent."""
    if scene.notice.resolved_us is not None:
        return Words("Mail is sent again", None, NOTHING_TO_DO, ())
    return Words(
        f"Mail can't be sent since {scene.hour(scene.notice.since_us)}",
        _sentence(scene.text("fault")),
        "Run `make test-mail`: it says what is wrong and what to do. No mail is lost meanwhile.",
        (),
    )


def clock(scene: Context) -> Words:
    """Say: the clock jumped."""
    jump_s = scene.number("jump_s") or 0
    way = "forward" if jump_s > 0 else "back"
    return Words(
        f"The clock was set {way} by {duration(int(abs(jump_s) * _US))}",
        "The machine's clock was wrong and has been corrected, or the machine slept.",
        "Nothing needs to be done if it is right now. Readings from before bear the time that it had then.",
        (("Clock now", scene.when(scene.notice.since_us)),),
    )


def new_many(scene: Context) -> Words:
    """Say: very many new names."""
    count = scene.number("count") or 0
    return Words(
        f"{counted(count, 'more new sensor name')} within a day",
        "Somebody sends readings under invented names, or a board forgets its own.",
        "Only those who have the sensors' password can do this: if it wasn't you, change it. "
        "What comes under these names is stored, but not watched until it is steady.",
        (("Such as", scene.text("examples")),),
    )


STACK_WORDS: dict[str, Callable[[Context], Words]] = {
    one.__name__: one
    for one in (
        all_silent,
        store,
        disk,
        quarantine,
        backup,
        archive,
        damaged,
        limits_file,
        mail,
        clock,
        new_many,
    )
}
