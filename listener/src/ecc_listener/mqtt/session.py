"""The MQTT session: receives messages in bursts, and acknowledges them on request.

MQTT 3.1.1, fixed client id, persistent session, QoS 1, manual acknowledgement. One thread: nothing happens
outside of the calls. After a lost connection it reconnects from scratch, with growing pauses.
"""

import logging
import random
import select
import ssl
import time
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, cast

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ecc_listener.mqtt.framing import PINGREQ, PINGRESP, FramedSocket, Publish
from ecc_listener.mqtt.tls_errors import explain, explain_handshake

if TYPE_CHECKING:
    import socket

_log = logging.getLogger(__name__)

KEEPALIVE_S = 60
UNDER_WAY = "not connected yet", "waiting for the broker to accept the subscription"
"""What `Session.fault` says before anything is wrong."""
_CONNECT_TIMEOUT_S = 5.0
_CONNACK_TIMEOUT_S = 10.0
_MAX_PAUSE_S = 30.0
_STABLE_S = 2.0
_PUBACK = Struct(">BBH")


class Broker(NamedTuple):
    """The broker's address, and how to log in."""

    host: str
    port: int
    client_id: str
    username: str
    password: str
    topic_filters: tuple[str, ...]
    tls: ssl.SSLContext | None
    is_kept: bool = True
    """Whether the broker keeps the session, and queues what arrives, while nobody is connected."""


class Message(NamedTuple):
    """A message as it arrived; `packet_id` is 0 for QoS 0, which the broker never sends again."""

    arrived_us: int
    topic: str
    payload: bytes
    packet_id: int
    retained: bool


class Session:
    """The session with one broker."""

    def __init__(
        self,
        broker: Broker,
        on_connected: Callable[[bool], None],
        on_barrier: Callable[[], None],
        wall_us: Callable[[], int],
    ) -> None:
        """Prepare; nothing is sent before the first `receive`.

        `on_connected` gets whether the broker knew the session; `on_barrier` is called for each answer.
        """
        self.broker = self._broker = broker
        self._on_connected = on_connected
        self._on_barrier = on_barrier
        self._wall_us = wall_us
        self._client: _Client | None = None
        self._receiving: _Client | None = None
        self._pongs = self._barrier = 0
        self._pause_s = 0.0
        self._next_try_s = 0.0
        self._since_s = 0.0
        self.fault: str | None = UNDER_WAY[0]
        """Why nothing can be received, as text; None while all is well."""
        self.connections = 0

    def wait(self, timeout_s: float) -> None:
        """Wait until there is something to read, at most `timeout_s`."""
        if self._client is None:
            pause(min(timeout_s, self._next_try_s - time.monotonic()))
            return
        connection = self._client.connection
        if not connection.waits():
            writers = [connection] if connection.unsent else []
            select.select([connection], writers, [], max(0.0, timeout_s))

    def receive(self) -> list[Message]:
        """Return what has arrived, in order, up to one buffer; connect first if necessary."""
        client = self._client
        if client is None:
            self._connect()
            return []
        self._receiving = client
        messages: list[Message] = []
        try:
            client.connection.fill()
            while self._client is client and (published := self._next(client, messages)) is not None:
                # They arrived one after the other, so no two rows have the same time.
                now_us = self._wall_us()
                messages += [Message(at_us, *one) for at_us, one in enumerate(published, now_us)]
        except OSError as error:
            self._lost(self._why_lost(client, error))
        if self._client is client:
            self._upkeep(client)
        return messages

    def _next(self, client: "_Client", before: list[Message]) -> list[Publish] | None:
        """Return the PUBLISH packets that are next, or let paho handle another packet that is next."""
        published = client.connection.publishes()
        if not published:
            kind = client.connection.next_kind()
            if kind is None or (kind == PINGRESP and before):
                # What arrived before the answer to a barrier is handled first; the answer waits.
                return None
            self._check(client.loop_read(), client)
            self._pongs += kind == PINGRESP
            if kind == PINGRESP and self._pongs == self._barrier:
                self._on_barrier()
        return published

    def _upkeep(self, client: "_Client") -> None:
        client.loop_misc()
        if self._client is client and client.socket() is None:
            # paho has closed the socket, and doesn't always report it.
            self._lost(
                f"connection lost: the broker has not answered for {KEEPALIVE_S} s; it hangs,"
                " or the network drops everything"
            )
        if self._client is client and not client.is_connected():
            self._check_connack()
        self.flush()

    def acknowledge(self, messages: list[Message]) -> None:
        """Tell the broker that these messages are stored, if they arrived on the current connection."""
        client = self._client
        if client is None or client is not self._receiving:
            return
        # One write for the burst. paho's own ack() sends the same four bytes, but one message at a time.
        client.connection.send(
            b"".join(_PUBACK.pack(0x40, 2, one.packet_id) for one in messages if one.packet_id)
        )
        self.flush()

    def ask_barrier(self) -> None:
        """Send a ping, which the broker answers after it has handled everything sent before."""
        if self._client is not None:
            self._client.connection.send(PINGREQ)
            self._barrier = self._client.connection.pings
            self.flush()

    def flush(self) -> None:
        """Send what is waiting to be sent."""
        client = self._client
        if client is None:
            return
        try:
            if client.want_write():
                client.loop_write()
            client.connection.flush()
        except OSError as error:
            self._lost(self._why_lost(client, error))

    def hold(self) -> None:
        """Keep the connection alive without reading from it: unread messages wait at the broker.

        paho's own pings need an answer, which would be behind the unread messages; these don't.
        """
        if self._client is not None and self._client.is_connected():
            self._client.connection.send(PINGREQ)
            self.flush()

    def restart(self, reason: str) -> None:
        """Reconnect from scratch: with a new socket and a new look-up of the host name."""
        self._lost(reason)
        self._next_try_s = 0.0

    def close(self) -> None:
        """Disconnect properly; the broker keeps the session and queues what arrives."""
        if self._client is not None and self._client.is_connected():
            self._client.disconnect()
        self._drop()

    def _connect(self) -> None:
        now_s = time.monotonic()
        if now_s < self._next_try_s:
            return
        broker = self._broker
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            clean_session=not broker.is_kept,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.connect_timeout = _CONNECT_TIMEOUT_S
        client.username_pw_set(broker.username, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        try:
            client.connect(broker.host, broker.port, KEEPALIVE_S)
        except (OSError, ValueError) as error:
            meaning = explain_handshake(error) if broker.tls else None
            unreachable = f"broker {broker.host}:{broker.port} can't be reached: {_reason(error)}"
            self._lost(
                f"broker {broker.host}:{broker.port} can't be used: {meaning}" if meaning else unreachable
            )
            return
        self._client = client
        self._pongs = 0
        self._since_s = now_s
        self.flush()

    def _why_lost(self, client: "_Client", error: OSError) -> str:
        if client.is_connected() or self._broker.tls is not None:
            return f"connection lost: {explain(error) or _reason(error)}"
        return (
            f"broker {self._broker.host}:{self._broker.port} closes the connection at once: if it expects TLS"
            " on this port, set ECC_MQTT_CA_FILE, or set ECC_MQTT_PORT to its port without TLS"
        )

    def _check_connack(self) -> None:
        if time.monotonic() - self._since_s > _CONNACK_TIMEOUT_S:
            self._lost(
                f"broker {self._broker.host}:{self._broker.port} accepts the connection but never answers"
            )

    def _connected(
        self,
        client: mqtt.Client,
        _userdata: object,
        flags: mqtt.ConnectFlags,
        reason_code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason_code.is_failure:
            self._lost(_refusal(str(reason_code), self._broker.username))
            return
        self._since_s = time.monotonic()
        self.connections += 1
        # Until the broker has accepted the subscription, it sends nothing to a new session.
        self.fault = UNDER_WAY[1]
        known = "knows" if flags.session_present else "does not know"
        _log.info(
            "Connected to broker %s:%s, which %s the session", self._broker.host, self._broker.port, known
        )
        if self.connections > 1 and not flags.session_present:
            _log.warning("The broker has forgotten the session: readings that it was holding are lost")
        self._on_connected(flags.session_present)
        self.ask_barrier()
        client.subscribe([(topic, 1) for topic in self._broker.topic_filters])
        self.flush()

    def _subscribed(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _mid: int,
        reason_codes: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = [
            topic
            for topic, code in zip(self._broker.topic_filters, reason_codes, strict=True)
            if code.is_failure
        ]
        self.fault = None
        if refused:
            self.fault = f"broker refuses the subscription to {', '.join(refused)}: check its ACL"
            _log.error("The %s", self.fault)

    def _check(self, code: MQTTErrorCode, client: "_Client") -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS and self._client is client:
            self._lost(f"connection lost: {mqtt.error_string(code)}")

    def _lost(self, fault: str) -> None:
        """Drop the connection, log a new fault, and choose the time of the next try."""
        now_s = time.monotonic()
        was_stable = self.fault is None and now_s - self._since_s > _STABLE_S
        self._pause_s = 0.5 if was_stable else min(_MAX_PAUSE_S, max(0.5, 2 * self._pause_s))
        # Clients that wait for the same broker should not all return at the same moment.
        self._next_try_s = now_s + self._pause_s * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        if fault != self.fault:
            _log.warning(
                "%s; trying again, at most %.0f s apart", fault[:1].upper() + fault[1:], _MAX_PAUSE_S
            )
        self.fault = fault
        self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            client.connection.close()


class _Client(mqtt.Client):
    """paho's client, on a socket that passes PUBLISH packets to the session."""

    connection: FramedSocket

    def _ssl_wrap_socket(self, tcp_sock: "socket.socket") -> ssl.SSLSocket:
        """Do the handshake as paho does, and close the socket if it fails, which paho forgets."""
        context = cast("ssl.SSLContext", self._ssl_context)
        wrapped = context.wrap_socket(tcp_sock, server_hostname=self._host, do_handshake_on_connect=False)
        try:
            wrapped.settimeout(_CONNECT_TIMEOUT_S)
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped

    def _create_socket(self) -> FramedSocket:
        self.connection = FramedSocket(cast("socket.socket", super()._create_socket()))
        return self.connection


def pause(time_s: float) -> None:
    """Wait, unaffected by changes of the clock."""
    select.select([], [], [], max(0.0, time_s))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _refusal(reason: str, username: str) -> str:
    if reason in {"Bad user name or password", "Not authorized"}:
        return (
            f"broker refuses user {username!r}: wrong user name or password; check secrets/mqtt_credentials"
        )
    return f"broker refuses the connection: {reason}"
