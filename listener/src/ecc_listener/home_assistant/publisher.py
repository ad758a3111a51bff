"""A connection that keeps retained messages at the broker up to date, apart from the one that receives.

It runs in paho's own thread, so nothing here waits. There is no lock of ours: paho calls back while it holds
its own, which `publish` needs as well. Of each topic only the newest payload is kept, and one at most is
under way: a flood of readings, or a broker that hangs, costs no more than that. It uses MQTT 5, whose PUBACK
says when a message is refused.
"""

import logging
from collections import deque
from threading import Event

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from ecc_listener.mqtt.session import Broker

_log = logging.getLogger(__name__)

_FAILURE = 0x80
"""Reason codes of PUBACK (MQTT 5, section 3.4.2.1): from here on, the message was refused."""
_AT_ONCE = 100
_LONGEST_PAUSE_S = 60


class Publisher:
    """Publishes what `set` was given last for each topic, retained, with QoS 1."""

    def __init__(self, broker: Broker, will: tuple[str, bytes]) -> None:
        """Prepare; `will` (topic, payload) is what the broker publishes when the connection is lost."""
        self._broker, self._will = broker, will
        self._is_new_connection = Event()
        self._client: mqtt.Client | None = None
        self._wanted: dict[str, bytes] = {}
        self._under_way: dict[int, str] = {}
        self._answers: deque[tuple[int, object]] = deque()
        """The packet ids that the broker has answered, each with its reason; filled by paho's thread."""
        self._is_refused, self._refusal = False, ""

    @property
    def is_started(self) -> bool:
        """Whether it connects."""
        return self._client is not None

    def start(self) -> None:
        """Connect, in another thread, as often as it takes."""
        broker = self._broker
        client = self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{broker.client_id[:40]}-publisher",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        client.username_pw_set(broker.username, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.will_set(*self._will, qos=1, retain=True)
        client.reconnect_delay_set(1, _LONGEST_PAUSE_S)
        client.on_connect = self._connected
        client.on_publish = self._answered
        client.connect_async(broker.host, broker.port, keepalive=60)
        client.loop_start()

    def set(self, topic: str, payload: bytes) -> None:
        """Let a topic have a payload; an empty one deletes what the broker keeps."""
        self._wanted[topic] = payload

    def tick(self) -> bool:
        """Send what is wanted, as far as the broker keeps up; return whether there is a new connection.

        With a new one nothing is sent yet: the broker may be one that knows nothing, so all of it is wanted.
        """
        client = self._client
        if client is None or not client.is_connected():
            return False
        if self._is_new_connection.is_set():
            self._is_new_connection.clear()
            self._under_way.clear()
            return True
        while self._answers:
            self._note_answer(*self._answers.popleft())
        busy = {*self._under_way.values()}
        for topic in [topic for topic in self._wanted if topic not in busy][: max(0, _AT_ONCE - len(busy))]:
            sent = client.publish(topic, self._wanted.pop(topic), qos=1, retain=True)
            self._under_way[sent.mid] = topic
        return False

    def close(self) -> None:
        """Say that nobody is there any more, and disconnect without waiting."""
        if self._client is not None:
            self._client.publish(*self._will, qos=1, retain=True)
            self._client.disconnect()
            self._client = None

    def _connected(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: object, _more: object
    ) -> None:
        if getattr(reason, "is_failure", False):
            if str(reason) != self._refusal:
                self._refusal = str(reason)
                _log.warning(
                    "The broker refuses the connection that publishes for Home Assistant: %s", reason
                )
            return
        self._refusal = ""
        self._is_new_connection.set()

    def _answered(self, _client: mqtt.Client, _data: object, mid: int, reason: object, *_: object) -> None:
        self._answers.append((mid, reason))

    def _note_answer(self, mid: int, reason: object) -> None:
        topic = self._under_way.pop(mid, "")
        if getattr(reason, "value", 0) >= _FAILURE and not self._is_refused:
            self._is_refused = True
            _log.error(
                "The broker refuses to publish on %s for Home Assistant (%s): its access rules must let user"
                " %r write there; correct them, then make restart",
                topic,
                reason,
                self._broker.username,
            )
