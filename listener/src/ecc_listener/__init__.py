"""Readings of wireless temperature and humidity sensors: from an MQTT broker into SQLite.

The way of a message::

    broker -> session (a burst) -> reading (decode) -> store (commit) -> session.acknowledge

`service` is the one loop that moves messages along this way. What the store has not committed is not
acknowledged, so the broker sends it again; what came twice is recognised and stored once.
"""

__version__ = "3.0.0"
__date__ = "2026-11-23"
