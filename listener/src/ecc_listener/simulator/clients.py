"""The sensors' connections to the broker: one MQTT client for each sensor, all in one thread.

`publish` sends a payload; `run_until` receives and sends for a while. As with the firmware's own library, a
message is lost if there is no connection; lost messages are counted.
"""

import select
import ssl
import time
from collections.abc import Sequence
from typing import NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ecc_listener.simulator.formats import FORM, messages

_CONNECT_TIMEOUT_S = 5.0
_RETRY_S, _MAX_PAUSE_S = 1.0, 10.0
_WAIT_S = 0.2


class Target(NamedTuple):
    """The broker, the topic and the quality of service to publish with."""

    host: str
    port: int
    topic: str
    qos: int
    tls: ssl.SSLContext | None = None
    format: str = FORM


class Account(NamedTuple):
    """The client id, user name and password of a sensor."""

    client_id: str
    username: str
    password: str


class SensorClients:
    """The MQTT clients of all sensors; counts the messages that were sent and lost."""

    def __init__(self, target: Target, accounts: Sequence[Account]) -> None:
        """Create the clients; they connect in the first `run_until`."""
        self._target = target
        self._connections = [_Connection(target, account) for account in accounts]
        self._next_try_s = 0.0
        self._pause_s = 0.0
        self._fault: str | None = None
        self.lost = 0

    @property
    def sent(self) -> int:
        """The number of messages that were sent (QoS 0) or that the broker confirmed (QoS 1 and 2)."""
        return sum(connection.sent for connection in self._connections)

    @property
    def connected(self) -> int:
        """The number of sensors that are connected."""
        return sum(connection.client.is_connected() for connection in self._connections)

    @property
    def is_tried(self) -> bool:
        """Whether the broker has accepted or refused each sensor at least once."""
        return all(connection.is_tried for connection in self._connections)

    def faults(self) -> list[str]:
        """Return what keeps sensors from sending, one line for each fault."""
        if self._fault:
            return [self._fault]
        return [connection.fault for connection in self._connections if connection.fault]

    def publish(self, index: int, payload: bytes, *, retain: bool = False) -> None:
        """Send one message of a sensor."""
        self.lost += not self._connections[index].publish(self._target, payload, retain=retain)

    def run_until(self, until_s: float) -> None:
        """Connect, send and receive until a time of the monotonic clock."""
        while True:
            now_s = time.monotonic()
            for connection in self._connections:
                if connection.client.socket() is None and now_s >= max(
                    connection.next_try_s, self._next_try_s
                ):
                    self._connect(connection)
            self._transfer(max(0.0, min(until_s - time.monotonic(), _WAIT_S)))
            if time.monotonic() >= until_s:
                return

    def finish(self, within_s: float) -> None:
        """Wait until everything is sent and confirmed, then disconnect."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s and any(connection.is_busy() for connection in self._connections):
            self._transfer(0.02)
        for connection in self._connections:
            connection.client.disconnect()

    def _connect(self, connection: "_Connection") -> None:
        try:
            connection.client.connect(self._target.host, self._target.port)
        except (OSError, ValueError) as error:
            # If nobody answers one client, trying the others now would only take time.
            self._pause_s = min(_MAX_PAUSE_S, max(_RETRY_S, 2 * self._pause_s))
            self._next_try_s = time.monotonic() + self._pause_s
            reason = getattr(error, "strerror", None) or str(error)
            self._fault = f"broker {self._target.host}:{self._target.port} doesn't answer: {reason}"
        else:
            self._pause_s, self._fault = 0.0, None

    def _transfer(self, wait_s: float) -> None:
        connections = {
            socket: connection
            for connection in self._connections
            if (socket := connection.client.socket()) is not None
        }
        writing = [socket for socket, connection in connections.items() if connection.client.want_write()]
        if not connections:
            time.sleep(wait_s)
            return
        readable, writable, _ = select.select(list(connections), writing, [], wait_s)
        for socket in readable:
            connections[socket].client.loop_read()
        for socket in writable:
            connections[socket].client.loop_write()
        for connection in self._connections:
            connection.client.loop_misc()


class _Connection:
    """The connection of one sensor."""

    def __init__(self, target: Target, account: Account) -> None:
        self.account = account
        self.sent = 0
        self.is_tried = False
        self.fault: str | None = None
        self.next_try_s = 0.0
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, account.client_id, protocol=MQTTProtocolVersion.MQTTv311
        )
        self.client.username_pw_set(account.username, account.password)
        self.client.connect_timeout = _CONNECT_TIMEOUT_S
        if target.tls is not None:
            self.client.tls_set_context(target.tls)
        self._accepted = 0
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._disconnected
        self.client.on_publish = self._published

    def publish(self, target: Target, payload: bytes, *, retain: bool) -> bool:
        """Publish one message; return False if it is lost because there is no connection."""
        if not self.client.is_connected():
            return False
        is_accepted = True
        for topic, data in messages(target.format, target.topic, payload):
            info = self.client.publish(topic, data, target.qos, retain)
            is_accepted = is_accepted and info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS
            self._accepted += info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS
        return is_accepted

    def is_busy(self) -> bool:
        """Return whether messages are still to be sent or confirmed."""
        return self.client.is_connected() and self._accepted > self.sent

    def _connected(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason_code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self.is_tried = True
        name, username = self.account.client_id, self.account.username
        self.fault = (
            f"broker refuses {name} as {username!r}: {reason_code}" if reason_code.is_failure else None
        )

    def _disconnected(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.DisconnectFlags,
        _reason_code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self.is_tried = True
        self.next_try_s = time.monotonic() + _RETRY_S
        self.fault = self.fault or f"broker cut {self.account.client_id} off"

    def _published(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _mid: int,
        _reason_code: ReasonCode,
        _properties: Properties,
    ) -> None:
        self.sent += 1
