"""The command line: `ecc-listener [verb] [settings]`. Without a verb it listens.

Each verb takes the settings that it uses and refuses the others as flags; the environment and `.env` may hold
all of them. A verb's module is imported only when it is called, because the healthcheck starts every half
minute for ten years.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from ecc_listener.settings import Settings

OK, FAILED, WRONG_SETTING = 0, 1, 2

SHORT = {
    "log_file_path": ("-l", "-log"),
    "database_file_path": ("-d", "-db"),
    "credentials_file_path": ("-c",),
    "mqtt_broker": ("-b",),
    "timer_check": ("-t",),
    "gmail_credentials_file_path": ("-m",),
    "last_notice_file_path": ("-n",),
    "last_notice_silence_time": ("-s",),
    "max_log_archives": ("-a",),
    "archive_log_size": ("-z",),
}
"""The original's short spellings."""


class Verb(NamedTuple):
    """A command: the module whose `main(settings, arguments)` runs it, what it does, what it reads."""

    module: str
    help: str
    settings: tuple[str, ...]
    """The names of the settings that it uses."""
    has_arguments: bool = False
    """Whether its module has `add_arguments(parser)` for arguments of the verb's own."""
    gets_unchecked: bool = False
    """Whether it gets the flags in place of settings, because a wrong setting must not stop it."""


_DATABASE = ("database_file_path",)
_SERVER = ("database_url",)
_LISTENER = (
    *("log_file_path", "database_file_path", "credentials_file_path", "mqtt_broker", "timer_check"),
    *_SERVER,
    *("gmail_credentials_file_path", "last_notice_file_path", "last_notice_silence_time", "limits_file_path"),
    *("max_log_archives", "archive_log_size", "mqtt_port", "mqtt_topics", "mqtt_client_id", "mqtt_ca_file"),
    *("json_mapping_file_path", "home_assistant_prefix"),
    *("max_database_size", "max_quarantine_size", "max_quarantine_days", "backup_folder"),
    *("automatic_backup", "log_level", "smtp_host", "smtp_port", "smtp_security", "smtp_ca_file"),
    *("weekly_digest", "apprise_urls_file_path", "health_file_path"),
)
_PAGE = (*_DATABASE, "limits_file_path", "backup_folder", "health_file_path", "web_host", "web_port")
_MAIL = (
    *("gmail_credentials_file_path", "smtp_host", "smtp_port", "smtp_security", "smtp_ca_file"),
    "apprise_urls_file_path",
)

VERBS = {
    "run": Verb("service", "listen to the broker and store readings (the same as no verb)", _LISTENER),
    "healthcheck": Verb(
        "health",
        "check that the listener is healthy: exit status 0, or 1 and the reason",
        ("health_file_path",),
    ),
    "status": Verb(
        "commands.status",
        "show the connection, the last message, the sensors and the sizes on one screen",
        ("log_file_path", *_DATABASE, "limits_file_path", "backup_folder", "health_file_path"),
        has_arguments=True,
    ),
    "check": Verb(
        "commands.check",
        "check settings and secrets, and print what is wrong: exit status 0, or 2",
        _LISTENER,
        has_arguments=True,
        gets_unchecked=True,
    ),
    "doctor": Verb(
        "commands.doctor",
        "look at every part once, and say what is broken and what to do: exit status 0, or 1",
        _LISTENER,
        has_arguments=True,
        gets_unchecked=True,
    ),
    "accounts": Verb(
        "commands.accounts",
        "add, remove or list the sensors' accounts at the broker, or change a password",
        (*_DATABASE, "credentials_file_path", "mqtt_topics", "json_mapping_file_path"),
        has_arguments=True,
        gets_unchecked=True,
    ),
    "web": Verb(
        "web.server", "serve the web page with every room at a glance", (*_PAGE, "web_credentials_file_path")
    ),
    "backup": Verb(
        "commands.backup",
        "copy the database and its new archives to the backup folder, while the listener runs",
        (*_DATABASE, "backup_folder"),
    ),
    "export": Verb(
        "commands.export",
        "write readings as CSV, JSON lines or Parquet, including those in archives",
        (*_DATABASE, *_SERVER, "limits_file_path"),
        has_arguments=True,
    ),
    "restore": Verb(
        "commands.restore",
        "restore a backup; stop the listener first",
        _DATABASE,
        has_arguments=True,
    ),
    "recover": Verb(
        "commands.recover",
        "recover the readings of a damaged database that was moved aside",
        _DATABASE,
        has_arguments=True,
    ),
    "import": Verb(
        "commands.import_",
        "copy the SQLite file and its archives into PostgreSQL, and prove that all is there",
        (*_DATABASE, *_SERVER),
        has_arguments=True,
    ),
    "mute": Verb(
        "commands.mute",
        "send nothing about a sensor or a location for some time",
        (*_DATABASE, "limits_file_path"),
        has_arguments=True,
    ),
    "replay": Verb(
        "commands.replay",
        "decode the rejected messages again, after an update that understands more of them",
        (*_DATABASE, *_SERVER, "max_quarantine_size", "mqtt_topics", "json_mapping_file_path"),
    ),
    "test-mail": Verb(
        "commands.test_mail",
        "send one test message to every channel, and say what to do where it fails",
        _MAIL,
    ),
    "simulate": Verb(
        "simulator.command",
        "publish readings like a number of sensors, well-behaved or not",
        ("credentials_file_path", "mqtt_broker", "mqtt_port", "mqtt_ca_file"),
        has_arguments=True,
    ),
    "demo": Verb(
        "demo.command",
        "show everything without Docker: broker, listener, web page and simulated rooms",
        ("web_port",),
        has_arguments=True,
    ),
}


_USE_SQL = "use psql and the views that listener/docs/scale-out.md describes"
_USE_DUMP = "use pg_dump and pg_restore"
_FILE_ONLY = {
    **dict.fromkeys(("status", "web"), _USE_SQL),
    **dict.fromkeys(("backup", "restore", "recover"), _USE_DUMP),
    "mute": "edit the limits file",
    "demo": "unset it, or the simulated rooms would be stored there",
}
"""Verbs that need the SQLite file, and what to do without it."""


class _Parser(argparse.ArgumentParser):
    """Prints what is wrong in one line."""

    def __init__(self, words: Sequence[str], **options: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(**options)
        self._words = words

    def error(self, message: str) -> NoReturn:
        is_value = message.startswith("argument --")
        hint = (not is_value and _nearest(self._words)) or f"see {self.prog} --help"
        self.exit(WRONG_SETTING, f"{self.prog}: {message}; {hint}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["healthcheck"] and not Path(".env").exists():
        from ecc_listener.health import main as healthcheck  # noqa: PLC0415 - without reading all settings

        return healthcheck()
    try:
        return _run(words)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of the output has seen enough; Python's own flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _run(words: list[str]) -> int:
    from ecc_listener.settings import SettingsError, load  # noqa: PLC0415
    from ecc_listener.storage.connection import StoreError  # noqa: PLC0415

    parser = _parser(words)
    given = vars(parser.parse_args(words))
    verb = given.pop("verb", None) or "run"
    flags = {name: given.pop(name) for name in tuple(given) if name in _fields()}
    try:
        _refuse_unused(flags, verb)
        act: Callable[[object, dict[str, object]], int] = import_module(
            f"ecc_listener.{VERBS[verb].module}"
        ).main
        if VERBS[verb].gets_unchecked:
            return act(flags, given)
        settings = load(flags, listening=verb == "run")
        _refuse_server(settings, verb)
        return act(settings, given)
    except SettingsError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return WRONG_SETTING
    except StoreError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return FAILED


def _refuse_unused(flags: Iterable[str], verb: str) -> None:
    from ecc_listener.settings import SettingsError  # noqa: PLC0415

    problems = []
    for name in flags:
        if name not in VERBS[verb].settings:
            *some, last = (other for other in VERBS if name in VERBS[other].settings)
            users = f"{', '.join(some)} and {last} do" if some else f"only {last} does"
            problems.append(f"{name}: {verb} does not use this setting, {users}; leave it out")
    if problems:
        raise SettingsError(problems)


def _refuse_server(settings: "Settings", verb: str) -> None:
    from ecc_listener.settings import SettingsError  # noqa: PLC0415

    if settings.database_url is not None and verb in _FILE_ONLY:
        raise SettingsError([f"database_url: {verb} can't use PostgreSQL; {_FILE_ONLY[verb]}"])


def _fields() -> dict[str, tuple[str, str]]:
    """Return the help text, with the default, and the name of the value of each setting."""
    from ecc_listener.settings import Settings, value_name  # noqa: PLC0415

    fields = {}
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if hasattr(default, "total_seconds"):
            default = f"{default.total_seconds() / 60:g}"
        elif isinstance(default, tuple):
            default = ",".join(default)
        elif isinstance(default, bool):
            default = "yes" if default else "no"
        elif hasattr(default, "human_readable"):
            default = default.human_readable().replace(".0", "")
        shown = "" if default is None else f" (default: {default})"
        fields[name] = f"{field.description}{shown}".replace("%", "%%"), value_name(name)
    return fields


def _parser(words: list[str]) -> _Parser:
    parser = _Parser(
        words,
        prog="ecc-listener",
        usage="%(prog)s [settings] [verb] [settings]",
        description="Stores the readings of MQTT temperature and humidity sensors in SQLite.",
        epilog="`ecc-listener VERB --help` shows the settings and the arguments of a verb.",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=_Help,
    )
    parser.add_argument("-v", "-ver", "--version", action="version", version=_version())
    verbs = parser.add_subparsers(  # type: ignore[call-overload]
        dest="verb", metavar="verb", parser_class=partial(_Parser, words), title="verbs"
    )
    for name, verb in VERBS.items():
        one = verbs.add_parser(
            name,
            prog=f"{parser.prog} {name}",
            help=verb.help,
            description=f"{verb.help[:1].upper()}{verb.help[1:]}.",
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
            formatter_class=_Help,
        )
        if name in words:
            if verb.has_arguments:
                import_module(f"ecc_listener.{verb.module}").add_arguments(one)
            _add_settings(one, name)
    _add_settings(parser, "run")
    return parser


def _add_settings(parser: _Parser, verb: str) -> None:
    """Add every setting, so that each gets an answer, and list those that the verb uses."""
    group = parser.add_argument_group(
        "settings",
        "Each is also an environment variable, ECC_ and the name in capitals, and a line of .env.",
    )
    for name, (text, value) in _fields().items():
        is_used = name in VERBS[verb].settings
        group.add_argument(
            *SHORT.get(name, ()),
            f"--{name}",
            dest=name,
            metavar=value,
            help=text if is_used else argparse.SUPPRESS,
        )


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=min(100, get_terminal_size().columns))


def _nearest(words: Sequence[str]) -> str | None:
    """Return the question whether a setting was meant, for the first flag that resembles one."""
    known = [f"--{name}" for name in _fields()]
    for flag in (word.partition("=")[0] for word in words if word.startswith("--")):
        matches = get_close_matches(flag, known, 1)
        if matches and flag not in known:
            return f"did you mean {matches[0]}?"
    return None


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415
    from platform import python_version  # noqa: PLC0415
    from sqlite3 import sqlite_version  # noqa: PLC0415

    from ecc_listener import __date__, __version__  # noqa: PLC0415

    parts = f"paho-mqtt {version('paho-mqtt')}, SQLite {sqlite_version}, Python {python_version()}"
    return f"ecc-listener {__version__} ({__date__}); {parts}"
