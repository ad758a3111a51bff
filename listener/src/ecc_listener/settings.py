"""Every setting, in one frozen class: the only reader of flags, environment, `.env` and secrets.

Where a setting is given more than once, flags win over the environment, then `.env`, then a Docker secret of
the setting's name, then the default.
"""

import os
import re
import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NestedSecretsSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ecc_listener.credentials import read_mail, read_mqtt, read_urls
from ecc_listener.readings.formats import JSON, Decoder, parse
from ecc_listener.readings.json_mapping import read_mappings

SECRETS = Path("/run/secrets")
PREFIX = "ECC_"


class SettingsError(Exception):
    """Raised when settings are wrong; `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        """Take the lines, each of the form "name: what is wrong; what is allowed"."""
        super().__init__("\n".join(problems))
        self.problems = problems


def _minutes(value: object) -> object:
    """Read a plain number as minutes; anything else is left to be an ISO 8601 duration."""
    try:
        return timedelta(minutes=float(str(value)))
    except (ValueError, OverflowError):
        return value


def _secret_or(secret: str, default: str) -> Path:
    path = SECRETS / secret
    return path if path.exists() else Path(default)


Minutes = Annotated[timedelta, BeforeValidator(_minutes)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """Every setting. Minutes may be decimal; sizes are bytes, or like 500MB or 1GiB."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    log_file_path: Path = Field(Path("ECCMQTTIoT.log"), description="log file")
    database_file_path: Path = Field(Path("ECCTempHum.sqlite3"), description="SQLite database file")
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL in place of the file, as postgresql://user:password@host:5432/database",
    )
    credentials_file_path: Path = Field(
        default_factory=lambda: _secret_or("mqtt_credentials", "ECCMQTTIoT_Credentials.txt"),
        description="file with username,password for the broker",
    )
    mqtt_broker: str = Field("127.0.0.1", description="host name or address of the broker", min_length=1)
    timer_check: Minutes = Field(
        timedelta(minutes=20),
        description="minutes without any message after which this is reported as a problem",
        gt=timedelta(0),
        le=timedelta(days=30),
    )
    gmail_credentials_file_path: Path = Field(
        default_factory=lambda: _secret_or("gmail_credentials", "ECCMQTTIoT_GMail_Credentials.txt"),
        description="file with address,password,local host name,destination; if it is empty, mail is off",
    )
    last_notice_file_path: Path = Field(
        Path("ECCMQTTIoT_Last_Notice.dat"), description="file with the last notice and its time, as text"
    )
    last_notice_silence_time: Minutes = Field(
        timedelta(minutes=1440),
        description="minutes until a reminder of a notice that is still open",
        ge=timedelta(0),
        le=timedelta(days=365),
    )
    limits_file_path: Path = Field(
        Path("ECCMQTTIoT_Limits.ini"), description="file with the limits for rooms and sensors"
    )
    max_log_archives: int = Field(9, description="number of compressed logs to keep", ge=0, le=9999)
    archive_log_size: ByteSize = Field(
        ByteSize(1073741824), description="size at which the log is compressed and a new one begun", ge=1000
    )
    mqtt_port: Port = Field(1883, description="TCP port of the broker")
    mqtt_topics: Annotated[tuple[str, ...], NoDecode] = Field(
        ("ECCTempHum",),
        description="comma-separated topic filters to subscribe to, each alone or with =FORMAT",
    )
    json_mapping_file_path: Path = Field(
        Path("ECCMQTTIoT_JSON.ini"), description="file that says where the values are in plain JSON messages"
    )
    mqtt_client_id: str = Field(
        "ecc-listener",
        description="client id; the broker keeps the queue under it, so don't change it without need",
        min_length=1,
    )
    mqtt_ca_file: Path | None = Field(
        None, description="CA certificate of the broker; if given, the connection uses TLS"
    )
    home_assistant_prefix: str = Field(
        "",
        description="Home Assistant's discovery prefix, usually homeassistant; if empty, this is off",
    )
    max_database_size: ByteSize = Field(
        ByteSize(1 << 30),
        description="size at which the database is archived and a new one begun",
        ge=100_000,
    )
    max_quarantine_size: ByteSize = Field(
        ByteSize(64 << 20), description="total size of the rejected messages to keep", ge=100_000
    )
    max_quarantine_days: int = Field(90, description="days to keep rejected messages", ge=1, le=36500)
    backup_folder: Path = Field(Path("backup"), description="folder for backups of the database")
    automatic_backup: bool = Field(
        True, description="yes or no: whether the listener makes a backup every day"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="least important level that is logged; payloads are logged only at DEBUG"
    )
    smtp_host: str = Field(
        "smtp.gmail.com", description="host name or address of the mail server", min_length=1
    )
    smtp_port: Port = Field(465, description="TCP port of the mail server")
    smtp_security: Literal["tls", "starttls"] = Field(
        "tls", description="tls, or starttls for servers on port 587"
    )
    smtp_ca_file: Path | None = Field(
        None, description="CA certificate of the mail server; if not given, the system's certificates"
    )
    weekly_digest: bool = Field(
        True, description="yes or no: whether a digest of the week is sent on Monday morning"
    )
    apprise_urls_file_path: Path = Field(
        default_factory=lambda: _secret_or("apprise_urls", "ECCMQTTIoT_Apprise_URLs.txt"),
        description="file with channels other than mail, one Apprise URL a line",
    )
    health_file_path: Path = Field(
        Path("ECCMQTTIoT_Health.json"),
        description="file that the listener writes every second and the healthcheck reads",
    )
    web_host: str = Field("127.0.0.1", description="address on which the web page is served", min_length=1)
    web_port: Port = Field(8080, description="TCP port of the web page")
    web_credentials_file_path: Path = Field(
        default_factory=lambda: _secret_or("web_credentials", "ECCMQTTIoT_Web_Credentials.txt"),
        description="file with username,password for the web page; if it is empty, the page has no password",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, the strongest first; `init_settings` are the flags."""
        secrets = NestedSecretsSettingsSource(
            file_secret_settings,
            secrets_dir=SECRETS,
            secrets_prefix="",
            secrets_dir_missing="ok",
        )
        return init_settings, env_settings, dotenv_settings, secrets

    @field_validator("mqtt_topics", mode="before")
    @classmethod
    def _split_topics(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("mqtt_topics")
    @classmethod
    def _check_topics(cls, filters: tuple[str, ...]) -> tuple[str, ...]:
        for entry in filters:
            topic_filter = parse(entry).topic_filter
            if not re.fullmatch(r"(\+|[^+#\0]+|)(/(\+|[^+#/\0]*))*(/#)?|#", topic_filter) or not topic_filter:
                allowed = "use names, + for a whole level, # at the end"
                raise ValueError(f"{topic_filter!r} is not a topic filter; {allowed}")
        return filters

    @field_validator("database_url")
    @classmethod
    def _check_url(cls, url: SecretStr | None) -> SecretStr | None:
        # What the secret's file has around it is no part of it, and the text may hold a password.
        text = url.get_secret_value().strip() if url else ""
        if text and not re.match(r"postgres(ql)?://", text):
            raise ValueError("must be of the form postgresql://user:password@host:5432/database")
        return SecretStr(text) if text else None

    @field_validator("home_assistant_prefix")
    @classmethod
    def _check_prefix(cls, prefix: str) -> str:
        if not re.fullmatch(r"([\w-]+(/[\w-]+)*)?", prefix):
            raise ValueError(f"{prefix!r} is not a topic; use letters, digits, _ and -, and / between levels")
        return prefix

    @field_validator("mqtt_broker", "smtp_host", "web_host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        if not re.fullmatch(r"[\w.:-]+", host):
            raise ValueError("must be a host name or an address, without mqtt:// and without a port")
        return host

    @field_validator("log_level", "smtp_security", mode="before")
    @classmethod
    def _any_case(cls, value: object, info: Any) -> object:  # noqa: ANN401 - pydantic's type differs by version
        if not isinstance(value, str):
            return value
        return value.strip().upper() if info.field_name == "log_level" else value.strip().lower()


class ListenerSettings(Settings):
    """What the listener needs beyond that: folders that it can write to, and valid credentials."""

    model_config = SettingsConfigDict(validate_default=True)

    @field_validator("log_file_path", "database_file_path", "last_notice_file_path", "health_file_path")
    @classmethod
    def _check_folder(cls, path: Path) -> Path:
        folder = path.absolute().parent
        if not folder.is_dir():
            raise ValueError(f"the folder {folder} does not exist; create it, or choose another one")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ValueError(
                f"user {os.geteuid()} can't write to {folder}; change its owner, or choose another folder"
            )
        return path

    @field_validator("credentials_file_path")
    @classmethod
    def _check_credentials(cls, path: Path) -> Path:
        read_mqtt(path)
        return path

    @field_validator("gmail_credentials_file_path")
    @classmethod
    def _check_mail_credentials(cls, path: Path) -> Path:
        read_mail(path)
        return path

    @field_validator("apprise_urls_file_path")
    @classmethod
    def _check_apprise_urls(cls, path: Path) -> Path:
        read_urls(path)
        return path

    @field_validator("json_mapping_file_path")
    @classmethod
    def _check_mappings(cls, path: Path, info: ValidationInfo) -> Path:
        _decoder(info.data.get("mqtt_topics", ()), path)
        return path

    @field_validator("mqtt_ca_file", "smtp_ca_file")
    @classmethod
    def _check_certificate(cls, path: Path | None) -> Path | None:
        try:
            if path is not None:
                ssl.create_default_context(cafile=path)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"{path} is not a readable CA certificate: {error.strerror or error}") from None
        return path


def read_decoder(settings: Settings) -> Decoder:
    """Return the decoder of the messages on the topics of `mqtt_topics`.

    Raises:
        ValueError: the file with the mappings of JSON has a mistake, or lacks a topic.

    """
    return _decoder(settings.mqtt_topics, settings.json_mapping_file_path)


def _decoder(topics: tuple[str, ...], mapping_file: Path) -> Decoder:
    if all(parse(entry).format != JSON for entry in topics):
        return Decoder(topics)
    try:
        text = mapping_file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{mapping_file} can't be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    mappings, problems = read_mappings(text)
    if problems:
        raise ValueError(f"in {mapping_file}: {'; '.join(problems)}")
    return Decoder(topics, mappings)


def load(flags: Mapping[str, object], *, listening: bool = False) -> Settings:
    """Return the settings from flags (name: text), environment, `.env` and secrets.

    With `listening`, also check what only the listener needs.

    Raises:
        SettingsError: one or more are wrong.

    """
    try:
        return (ListenerSettings if listening else Settings)(**flags)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = [_line(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()]
        raise SettingsError(problems) from None
    except OSError as error:
        # The secrets are read before anything is checked.
        problem = f"{error.filename} can't be read by user {os.geteuid()}: {error.strerror}"
        raise SettingsError([f"{problem}; change its owner or its mode"]) from None


def unknown_variables() -> list[str]:
    """Return the variables that look like settings but are not: most likely typing errors."""
    known = {(PREFIX + name).lower() for name in Settings.model_fields}
    variables = [*EnvSettingsSource(Settings).env_vars, *DotEnvSettingsSource(Settings).env_vars]
    return sorted(
        {name.upper() for name in variables if name.startswith(PREFIX.lower())} - {n.upper() for n in known}
    )


def value_name(name: str) -> str:
    """Return what stands for the value of a setting in help texts, such as FILE or MINUTES."""
    kind = Settings.model_fields[name].annotation
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    for ending, shown in _VALUE_NAMES.items():
        if name.endswith(ending):
            return shown
    return {bool: "yes|no", timedelta: "MINUTES", ByteSize: "BYTES", int: "NUMBER"}.get(kind, "TEXT")  # type: ignore[arg-type]


_VALUE_NAMES = {
    **dict.fromkeys(("_path", "_file"), "FILE"),
    **dict.fromkeys(("_host", "_broker"), "HOST"),
    "_folder": "FOLDER",
    "_port": "PORT",
    "_url": "URL",
    "_topics": "FILTERS",
    "_days": "DAYS",
}
"""By the ending of a setting's name."""


def _line(location: tuple[int | str, ...], kind: str, message: str) -> str:
    name = str(location[0])
    if kind == "value_error":
        return f"{name}: {message.removeprefix('Value error, ')}"
    if kind.startswith(("time_delta", "timedelta")):
        message = "is not a number of minutes"
    return f"{name}: {message[:1].lower()}{message[1:]}; {Settings.model_fields[name].description}"
