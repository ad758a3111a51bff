"""Readings of wireless sensors: from an MQTT broker into SQLite, and to people by page and mail.

The way of a message::

    broker -> session (a burst) -> reading (decode) -> store (commit) -> session.acknowledge

`service` is the one loop that moves messages along this way. What the store has not committed is not
acknowledged, so the broker sends it again; what came twice is recognised and stored once.

Once a second the loop ticks. `lookout` asks the `watch` what is wrong and the desk (`telling`) what of it is
to be told; notices and letters go into the database in one transaction, and `post` sends from there, in a
thread. `archiver` archives a full database, `daily_backup` copies it in a thread, `summing` adds up hours and
days for `history`, which reads over the live file and all archives. `web`, another process, only reads.
"""

__version__ = "3.0.0"
__date__ = "2026-11-24"
