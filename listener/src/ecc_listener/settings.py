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
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ByteSize, Field, ValidationError, field_validator
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

SECRETS = Path("/run/secrets")
PREFIX = "ECC_"


class SettingsError(Exception):
    """Raised when settings are wrong; `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        """Take the lines, each "name: what is wrong; what is allowed"."""
        super().__init__("\n".join(problems))
        self.problems = problems


def _minutes(value: object) -> object:
    """Take a plain number as minutes; anything else is an ISO 8601 duration."""
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
    """What the program is told from outside. Minutes may be decimal; sizes are bytes, or like 500MB, 1GiB."""

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
    credentials_file_path: Path = Field(
        default_factory=lambda: _secret_or("mqtt_credentials", "ECCMQTTIoT_Credentials.txt"),
        description="file with the broker's username,password",
    )
    mqtt_broker: str = Field("127.0.0.1", description="host name or address of the broker", min_length=1)
    timer_check: Minutes = Field(
        timedelta(minutes=20),
        description="minutes without any message until something is wrong",
        gt=timedelta(0),
        le=timedelta(days=30),
    )
    gmail_credentials_file_path: Path = Field(
        default_factory=lambda: _secret_or("gmail_credentials", "ECCMQTTIoT_GMail_Credentials.txt"),
        description="file with address,password,local host name,destination; empty: no mail",
    )
    last_notice_file_path: Path = Field(
        Path("ECCMQTTIoT_Last_Notice.dat"), description="file that says when the last notice was sent"
    )
    last_notice_silence_time: Minutes = Field(
        timedelta(minutes=1440),
        description="minutes until the same notice is sent again",
        ge=timedelta(0),
        le=timedelta(days=365),
    )
    limits_file_path: Path = Field(
        Path("ECCMQTTIoT_Limits.ini"), description="file with the limits of rooms and sensors"
    )
    max_log_archives: int = Field(9, description="gzipped logs to keep", ge=0, le=9999)
    archive_log_size: ByteSize = Field(
        ByteSize(1073741824), description="bytes at which the log is archived", ge=1000
    )
    mqtt_port: Port = Field(1883, description="TCP port of the broker")
    mqtt_topics: Annotated[tuple[str, ...], NoDecode] = Field(
        ("ECCTempHum",), description="comma-separated topic filters"
    )
    mqtt_client_id: str = Field(
        "ecc-listener", description="client id, fixed, since the broker keeps its queue by it", min_length=1
    )
    mqtt_ca_file: Path | None = Field(None, description="CA certificate of the broker; turns TLS on")
    max_database_size: ByteSize = Field(
        ByteSize(1 << 30), description="bytes at which the database is archived", ge=100_000
    )
    max_quarantine_size: ByteSize = Field(
        ByteSize(64 << 20), description="bytes kept of messages that are no readings", ge=100_000
    )
    max_quarantine_days: int = Field(
        90, description="days for which messages that are no readings are kept", ge=1, le=36500
    )
    backup_folder: Path = Field(Path("backup"), description="folder for backups of the database")
    automatic_backup: bool = Field(True, description="yes: the listener makes a backup a day; no: it doesn't")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR; payloads are logged only at DEBUG"
    )
    smtp_host: str = Field("smtp.gmail.com", description="mail server", min_length=1)
    smtp_port: Port = Field(465, description="its TCP port")
    smtp_security: Literal["tls", "starttls"] = Field("tls", description="tls, or starttls (port 587)")
    smtp_ca_file: Path | None = Field(None, description="CA certificate of the mail server")
    weekly_digest: bool = Field(True, description="send a digest of the week on Monday morning")
    apprise_urls_file_path: Path = Field(
        default_factory=lambda: _secret_or("apprise_urls", "ECCMQTTIoT_Apprise_URLs.txt"),
        description="file with other ways than mail, one apprise URL a line; empty: none",
    )
    health_file_path: Path = Field(
        Path("ECCMQTTIoT_Health.json"), description="file that the healthcheck reads"
    )
    web_host: str = Field("127.0.0.1", description="address of the web page", min_length=1)
    web_port: Port = Field(8080, description="TCP port of the web page")
    web_credentials_file_path: Path = Field(
        default_factory=lambda: _secret_or("web_credentials", "ECCMQTTIoT_Web_Credentials.txt"),
        description="file with the page's username,password; empty: it asks for none",
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
        """Give the sources, the strongest first; `init_settings` are the flags."""
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
        for topic_filter in filters:
            if not re.fullmatch(r"(\+|[^+#\0]+|)(/(\+|[^+#/\0]*))*(/#)?|#", topic_filter) or not topic_filter:
                allowed = "allowed are names, + for a whole level, # at the end"
                raise ValueError(f"{topic_filter!r} is no topic filter; {allowed}")
        return filters

    @field_validator("mqtt_broker", "smtp_host", "web_host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        if not re.fullmatch(r"[\w.:-]+", host):
            raise ValueError("is a host name or an address, without mqtt:// and without a port")
        return host

    @field_validator("log_level", "smtp_security", mode="before")
    @classmethod
    def _any_case(cls, value: object, info: Any) -> object:  # noqa: ANN401 - pydantic's type differs by version
        if not isinstance(value, str):
            return value
        return value.strip().upper() if info.field_name == "log_level" else value.strip().lower()


class ListenerSettings(Settings):
    """What the listener itself needs beyond that: folders that it can write to, and credentials."""

    model_config = SettingsConfigDict(validate_default=True)

    @field_validator("log_file_path", "database_file_path", "last_notice_file_path", "health_file_path")
    @classmethod
    def _check_folder(cls, path: Path) -> Path:
        folder = path.absolute().parent
        if not folder.is_dir():
            raise ValueError(f"there is no folder {folder}; make it, or choose another one")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ValueError(
                f"user {os.geteuid()} can't write in {folder}; give it the folder, or choose another"
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

    @field_validator("mqtt_ca_file", "smtp_ca_file")
    @classmethod
    def _check_certificate(cls, path: Path | None) -> Path | None:
        try:
            if path is not None:
                ssl.create_default_context(cafile=path)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"{path} is no readable CA certificate: {error.strerror or error}") from None
        return path


def load(flags: Mapping[str, object], *, listening: bool = False) -> Settings:
    """Make the settings from flags (name: text), environment, `.env` and secrets.

    `listening` asks for what the listener itself needs beyond that.

    Raises:
        SettingsError: one or more are wrong.

    """
    try:
        return (ListenerSettings if listening else Settings)(**flags)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = [_line(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()]
        raise SettingsError(problems) from None


def unknown_variables() -> list[str]:
    """Name the variables that look like settings but are none: most likely a slip of the pen."""
    known = {(PREFIX + name).lower() for name in Settings.model_fields}
    variables = [*EnvSettingsSource(Settings).env_vars, *DotEnvSettingsSource(Settings).env_vars]
    return sorted(
        {name.upper() for name in variables if name.startswith(PREFIX.lower())} - {n.upper() for n in known}
    )


def _line(location: tuple[int | str, ...], kind: str, message: str) -> str:
    name = str(location[0])
    if kind == "value_error":
        return f"{name}: {message.removeprefix('Value error, ')}"
    if kind.startswith(("time_delta", "timedelta")):
        message = "is no number of minutes"
    return f"{name}: {message[:1].lower()}{message[1:]}; {Settings.model_fields[name].description}"
