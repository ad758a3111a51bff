"""The tables in PostgreSQL, and views with the names and columns of the SQLite file's tables.

`MIGRATIONS` is append-only; `migrate` brings a database up to date with it. Readings lie in a partition for
each month of UTC, which is created when the first reading of the month arrives.
"""

from datetime import UTC, datetime

from ecc_listener.storage.connection import StoreError
from ecc_listener.storage.postgres.connection import Connection

MIGRATIONS = (
    """
    CREATE TABLE sensor (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE);
    CREATE TABLE reading (
        sensor_id integer NOT NULL, time timestamptz NOT NULL,
        dew_point_f double precision, temperature_f double precision, humidity_percent double precision,
        battery_v double precision, battery_percent double precision, rssi_dbm integer,
        PRIMARY KEY (sensor_id, time)) PARTITION BY RANGE (time);
    -- Numbers that a sensor sends beyond these columns, each with the key of its reading.
    CREATE TABLE reading_value (
        sensor_id integer NOT NULL, time timestamptz NOT NULL, field text NOT NULL,
        value double precision NOT NULL, PRIMARY KEY (sensor_id, time, field)) PARTITION BY RANGE (time);
    -- What a sensor reports about itself; a row only when something has changed.
    CREATE TABLE sensor_report (
        number bigint GENERATED ALWAYS AS IDENTITY, sensor_id integer NOT NULL, time timestamptz NOT NULL,
        location text, mac_address text, software_version text, PRIMARY KEY (sensor_id, time));
    CREATE TABLE rejected (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, received timestamptz NOT NULL,
        topic text NOT NULL, payload bytea NOT NULL, reason text NOT NULL, replayed timestamptz);
    -- One row a burst, as long as the broker may send its packets again: see mqtt/deliveries.py.
    CREATE TABLE delivery (
        client_id text NOT NULL, burst bigint NOT NULL, packets bytea NOT NULL,
        PRIMARY KEY (client_id, burst));
    -- Which listener wrote under a client id last.
    CREATE TABLE session (client_id text PRIMARY KEY, holder text NOT NULL);
    CREATE TABLE counter (name text PRIMARY KEY, value bigint NOT NULL);
    CREATE TABLE notice (
        number bigint PRIMARY KEY, kind text NOT NULL, sensor_name text NOT NULL, location text,
        since timestamptz NOT NULL, noticed timestamptz NOT NULL, resolved timestamptz, sent timestamptz,
        times_sent integer NOT NULL, details text NOT NULL, done smallint NOT NULL);
    CREATE INDEX notice_pending ON notice (number) WHERE done = 0;
    -- What the monitor has learned about each sensor.
    CREATE TABLE sensor_memory (sensor_name text PRIMARY KEY, memory text NOT NULL);
    CREATE TABLE message (
        number bigint PRIMARY KEY, added timestamptz NOT NULL, message_id text NOT NULL,
        subject text NOT NULL, plain text NOT NULL, html text NOT NULL, picture bytea);
    CREATE TABLE channel (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE,
        done_up_to bigint NOT NULL, tries integer NOT NULL DEFAULT 0, next_try timestamptz,
        failing_since timestamptz, fault text, last_sent timestamptz);

    -- The original's columns with its text for a time, for queries that were written for it.
    CREATE VIEW "ECCTempHum" AS
    SELECT to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS "recordWrittenUTC",
        dew_point_f AS "dewPointF", temperature_f AS "temperatureF", humidity_percent AS "relHumidityPercent",
        battery_v AS "battVoltage", battery_percent AS "battPercent", rssi_dbm AS "apRSSI",
        name AS "sensorName"
    FROM reading JOIN sensor ON sensor.id = sensor_id;
    CREATE VIEW "ECCTempHumSensor" AS
    SELECT to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS "recordWrittenUTC",
        name AS "sensorName", location, mac_address AS "MACaddress", software_version AS "softwareVersion"
    FROM sensor_report JOIN sensor ON sensor.id = sensor_id;

    -- The SQLite file's tables for the program's statements, whose names without quotes mean lower case here.
    CREATE VIEW ecctemphum AS
    SELECT time AS recordwrittenutc, dew_point_f AS dewpointf, temperature_f AS temperaturef,
        humidity_percent AS relhumiditypercent, battery_v AS battvoltage, battery_percent AS battpercent,
        rssi_dbm AS aprssi, name AS sensorname
    FROM reading JOIN sensor ON sensor.id = sensor_id;
    CREATE VIEW ecctemphumsensor AS
    SELECT time AS recordwrittenutc, name AS sensorname, location, mac_address AS macaddress,
        software_version AS softwareversion
    FROM sensor_report JOIN sensor ON sensor.id = sensor_id;
    CREATE VIEW eccvalue AS
    SELECT time AS recordwrittenutc, name AS sensorname, field, value
    FROM reading_value JOIN sensor ON sensor.id = sensor_id;
    CREATE VIEW ecclatest AS
    SELECT time AS recordwrittenutc, dew_point_f AS dewpointf, temperature_f AS temperaturef,
        humidity_percent AS relhumiditypercent, battery_v AS battvoltage, battery_percent AS battpercent,
        rssi_dbm AS aprssi, name AS sensorname, location, mac_address AS macaddress,
        software_version AS softwareversion
    FROM sensor
    CROSS JOIN LATERAL (
        SELECT * FROM reading WHERE sensor_id = sensor.id ORDER BY time DESC LIMIT 1) AS newest
    LEFT JOIN LATERAL (
        SELECT location, mac_address, software_version FROM sensor_report WHERE sensor_id = sensor.id
        ORDER BY number DESC LIMIT 1) AS report ON true;
    CREATE VIEW eccrejected AS
    SELECT received AS receivedutc, topic, payload, reason, replayed AS replayedutc, id AS rowid
    FROM rejected;
    CREATE VIEW ecccounter AS SELECT name, value FROM counter;
    CREATE VIEW eccnotice AS
    SELECT number, kind, sensor_name AS sensorname, location, since AS sinceutc, noticed AS noticedutc,
        resolved AS overutc, sent AS toldutc, times_sent AS timestold, details AS facts, done
    FROM notice;
    CREATE VIEW eccwatch AS SELECT sensor_name AS sensorname, memory FROM sensor_memory;
    CREATE VIEW eccmail AS
    SELECT number, added AS addedutc, message_id AS messageid, subject, plain, html, picture FROM message;
    CREATE VIEW eccmailway AS
    SELECT name AS way, done_up_to AS doneupto, tries, next_try AS nexttryutc,
        failing_since AS failingsinceutc, fault, last_sent AS lastsentutc, id AS rowid
    FROM channel;
    """,
    # The kinds that a channel gets, and for which choice a message is: see notifications/outbox.py.
    """
    CREATE TABLE channel_choice (name text PRIMARY KEY, choice text NOT NULL);
    CREATE TABLE message_choice (number bigint PRIMARY KEY, choice text NOT NULL);
    CREATE VIEW eccmailwaychoice AS SELECT name AS way, choice FROM channel_choice;
    CREATE VIEW eccmailchoice AS SELECT number, choice FROM message_choice;
    """,
)
"""Each brings the tables from one version to the next."""

_MIGRATION_LOCK = 0x6563_6301
_PARTITION_LOCK = 0x6563_6302
_PARTITIONED = ("reading", "reading_value")

Month = tuple[int, int]
"""A year and a month of UTC."""


def migrate(connection: Connection) -> None:
    """Bring the tables up to date; another process that does the same is waited for.

    Raises:
        StoreError: a newer version has written them.

    """
    with connection.psycopg.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(?)", (_MIGRATION_LOCK,))
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)")
        row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
        version = row[0] if row and row[0] is not None else 0
        if version > len(MIGRATIONS):
            raise StoreError(
                "PostgreSQL: the tables were written by a newer version of this program; update the program"
            )
        for number, migration in enumerate(MIGRATIONS[version:], version + 1):
            connection.psycopg.execute(migration.encode())
            connection.execute("INSERT INTO schema_version VALUES (?)", (number,))


def month_of(time_us: int) -> Month:
    """Return the month of a time in microseconds since 1970."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return moment.year, moment.month


def next_month(month: Month) -> Month:
    """Return the month after one."""
    year, number = month
    return year + number // 12, number % 12 + 1


def create_partitions(connection: Connection, month: Month) -> None:
    """Create the partitions of a month if they aren't there, without making anybody wait."""
    year, number = month
    begin, end = (f"{of:04}-{one:02}-01" for of, one in (month, next_month(month)))
    with connection.psycopg.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(?)", (_PARTITION_LOCK,))
        for table in _PARTITIONED:
            name = f"{table}_{year:04}_{number:02}"
            row = connection.execute("SELECT to_regclass(?)::text", (name,)).fetchone()
            if row and row[0] is not None:
                continue
            # To create it as a partition at once would wait for every reader of the table.
            connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
            connection.execute(
                f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{begin}+00') TO ('{end}+00')"
            )
