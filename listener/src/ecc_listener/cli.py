"""The command line: `ecc-listener [verb] [settings]`. With no verb it listens.

Every verb takes every setting. A verb's module is imported only when it is called, since the healthcheck
starts every half minute for ten years.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, NamedTuple, NoReturn

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
    """A command: the module whose `main(settings, arguments)` does it, and what it does."""

    module: str
    help: str


VERBS = {
    "run": Verb("service", "listen to the broker and store readings (the same as no verb)"),
    "healthcheck": Verb("health", "say whether the listener is well: exit status 0, or 1 and the reason"),
    "status": Verb("commands.status", "show connection, last message, sensors and sizes on one screen"),
    "web": Verb("web.server", "serve the page: every room at a glance"),
    "backup": Verb(
        "commands.backup", "copy the database, and its archives once, to the backup folder, while it runs"
    ),
    "export": Verb("commands.export", "write readings as CSV, JSON lines or Parquet, from the archives, too"),
    "restore": Verb("commands.restore", "put a backup back; the listener must not run meanwhile"),
    "recover": Verb("commands.recover", "read what can be read of a damaged database that was moved aside"),
    "replay": Verb("commands.replay", "decode the quarantine again, after an update that understands more"),
    "test-mail": Verb("commands.test_mail", "send one test mail to every destination, or say what keeps it"),
    "simulate": Verb("simulator.command", "publish like a number of sensors, well-behaved or not"),
    "demo": Verb("demo.command", "show it all without Docker: broker, listener and simulated rooms"),
}


_WITH_ARGUMENTS = {"restore", "recover", "status", "export", "simulate", "demo"}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        is_value = message.startswith("argument --")
        hint = (not is_value and _nearest(sys.argv[1:])) or f"see {self.prog} --help"
        self.exit(WRONG_SETTING, f"{self.prog}: {message}; {hint}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["healthcheck"] and not Path(".env").exists():
        from ecc_listener.health import main as healthcheck  # noqa: PLC0415 - without reading all settings

        return healthcheck()
    try:
        return _run(words)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python's own flush at exit must not complain either.
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
        settings = load(flags, listening=verb == "run")
        act: Callable[[Settings, dict[str, object]], int] = import_module(
            f"ecc_listener.{VERBS[verb].module}"
        ).main
        return act(settings, given)
    except SettingsError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return WRONG_SETTING
    except StoreError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return FAILED


def _fields() -> dict[str, str]:
    """Give the name of each setting, and its help text with the default."""
    from ecc_listener.settings import Settings  # noqa: PLC0415

    helps = {}
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if hasattr(default, "total_seconds"):
            default = f"{default.total_seconds() / 60:g}"
        elif isinstance(default, tuple):
            default = ",".join(default)
        shown = "" if default is None else f" (default: {default})"
        helps[name] = f"{field.description}{shown}".replace("%", "%%")
    return helps


def _parser(words: list[str]) -> _Parser:
    settings = _Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    group = settings.add_argument_group(
        "settings",
        "Each is also an environment variable, ECC_ and the name in capitals, and a line of .env.",
    )
    for name, text in _fields().items():
        group.add_argument(*SHORT.get(name, ()), f"--{name}", dest=name, metavar="", help=text)
    parser = _Parser(
        prog="ecc-listener",
        description="Writes the readings of MQTT temperature and humidity sensors to SQLite.",
        parents=[settings],
        allow_abbrev=False,
        formatter_class=_Help,
    )
    parser.add_argument("-v", "-ver", "--version", action="version", version=_version())
    verbs = parser.add_subparsers(dest="verb", metavar="verb", parser_class=_Parser, title="verbs")
    for name, verb in VERBS.items():
        one = verbs.add_parser(
            name,
            help=verb.help,
            description=f"{verb.help[:1].upper()}{verb.help[1:]}.",
            parents=[settings],
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
            formatter_class=_Help,
        )
        if name in words and name in _WITH_ARGUMENTS:
            import_module(f"ecc_listener.{verb.module}").add_arguments(one)
    return parser


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=min(100, get_terminal_size().columns))


def _nearest(words: list[str]) -> str | None:
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
