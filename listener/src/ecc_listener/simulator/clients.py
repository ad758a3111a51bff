"""The sensors' connections to the broker, one MQTT client each, in one thread.

Payloads go in by `publish`; `serve` lets the connections live for a while. As with the sensors' own library,
what is to be sent while there is no connection is lost, and counted.
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

_CONNECT_TIMEOUT_S = 5.0
_AGAIN_S, _MAX_PAUSE_S = 1.0, 10.0
_WAIT_S = 0.2


class Target(NamedTuple):
    """Where the sensors send to, and how."""

    host: str
    port: int
    topic: str
    qos: int
    tls: ssl.SSLContext | None = None


class Account(NamedTuple):
    """As whom a sensor connects."""

    client_id: str
    username: str
    password: str


class Fleet:
    """All sensors' connections; counts what was sent and what was lost."""

    def __init__(self, target: Target, accounts: Sequence[Account]) -> None:
        """Prepare; nothing is sent before the first `serve`."""
        self._target = target
        self._links = [_Link(target, account) for account in accounts]
        self._next_try_s = 0.0
        self._pause_s = 0.0
        self._fault: str | None = None
        self.lost = 0

    @property
    def sent(self) -> int:
        """Messages that went out (QoS 0) or that the broker confirmed (QoS 1 and 2)."""
        return sum(link.sent for link in self._links)

    @property
    def connected(self) -> int:
        """How many sensors are connected."""
        return sum(link.client.is_connected() for link in self._links)

    @property
    def is_tried(self) -> bool:
        """Whether each sensor has once been let in or refused."""
        return all(link.is_tried for link in self._links)

    def faults(self) -> list[str]:
        """Say what keeps sensors from sending, one line for each fault."""
        if self._fault:
            return [self._fault]
        return [link.fault for link in self._links if link.fault]

    def publish(self, index: int, payload: bytes, *, retain: bool = False) -> None:
        """Send one message of a sensor."""
        self.lost += not self._links[index].publish(self._target, payload, retain=retain)

    def serve(self, until_s: float) -> None:
        """Connect who isn't connected, send and receive, until a time of the monotonic clock."""
        while True:
            now_s = time.monotonic()
            for link in self._links:
                if link.client.socket() is None and now_s >= max(link.next_try_s, self._next_try_s):
                    self._connect(link)
            self._transfer(max(0.0, min(until_s - time.monotonic(), _WAIT_S)))
            if time.monotonic() >= until_s:
                return

    def finish(self, within_s: float) -> None:
        """Wait until all is sent and confirmed, then take leave of the broker."""
        until_s = time.monotonic() + within_s
        while time.monotonic() < until_s and any(link.is_busy() for link in self._links):
            self._transfer(0.02)
        for link in self._links:
            link.client.disconnect()

    def _connect(self, link: "_Link") -> None:
        try:
            link.client.connect(self._target.host, self._target.port)
        except (OSError, ValueError) as error:
            # One try speaks for all: where nobody answers the next one would wait in vain as well.
            self._pause_s = min(_MAX_PAUSE_S, max(_AGAIN_S, 2 * self._pause_s))
            self._next_try_s = time.monotonic() + self._pause_s
            reason = getattr(error, "strerror", None) or str(error)
            self._fault = f"broker {self._target.host}:{self._target.port} doesn't answer: {reason}"
        else:
            self._pause_s, self._fault = 0.0, None

    def _transfer(self, wait_s: float) -> None:
        links = {socket: link for link in self._links if (socket := link.client.socket()) is not None}
        writing = [socket for socket, link in links.items() if link.client.want_write()]
        if not links:
            time.sleep(wait_s)
            return
        readable, writable, _ = select.select(list(links), writing, [], wait_s)
        for socket in readable:
            links[socket].client.loop_read()
        for socket in writable:
            links[socket].client.loop_write()
        for link in self._links:
            link.client.loop_misc()


class _Link:
    """One sensor's connection."""

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
        self._given = 0
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._disconnected
        self.client.on_publish = self._published

    def publish(self, target: Target, payload: bytes, *, retain: bool) -> bool:
        """Hand one message over; False: there is no connection, it is lost."""
        if not self.client.is_connected():
            return False
        info = self.client.publish(target.topic, payload, target.qos, retain)
        is_taken = info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS
        self._given += is_taken
        return is_taken

    def is_busy(self) -> bool:
        """Say whether something is still to be sent or confirmed."""
        return self.client.is_connected() and self._given > self.sent

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
        self.next_try_s = time.monotonic() + _AGAIN_S
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
