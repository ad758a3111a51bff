"""Whether the listener can hear anything at all: a second, short-lived connection that asks.

A broker grants a subscription that its access rules don't let the client read, and then delivers nothing.
So if nothing has arrived for a while after connecting, this connection publishes a probe to the listener's
topics, and looks at all topics for readings that it didn't subscribe to. It uses MQTT 5, whose PUBACK has a
reason.

It ends with the first message that arrives. Nothing is wrong with a broker on which no sensor has sent yet,
if the probe arrives.
"""

import logging
from collections.abc import Callable
from threading import Lock

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from ecc_listener.mqtt.session import Broker
from ecc_listener.readings.topics import matches

_log = logging.getLogger(__name__)

PROBE = b"ecc-listener-probe"
"""What a probe begins with; it is acknowledged, and neither stored nor counted."""
PATIENCE_S = 20.0
_ANSWER_S = 10.0
_FAILURE, _NOT_AUTHORISED = 0x80, 0x87
"""Reason codes of PUBACK (MQTT 5, section 3.4.2.1): from 0x80 on, the message was not accepted."""
_MAX_TOPICS, _MAX_HEARD = 5, 1_000


def is_probe(payload: bytes) -> bool:
    """Return whether a message is a probe."""
    return payload.startswith(PROBE)


class HearingCheck:
    """Checks each new connection that stays silent; `fault` says what keeps the listener from hearing."""

    def __init__(self, broker: Broker, is_reading: Callable[[str, bytes], bool]) -> None:
        """Prepare; nothing is sent before a connection was silent for a while."""
        self._broker = broker
        self._is_reading = is_reading
        self._connection = self._messages = 0
        self._since_s = 0.0
        self._look: _Look | None = None
        self._heard: set[str] = set()
        self.fault: str | None = None

    def probe_arrived(self, topic: str) -> None:
        """Note that a probe has come back: the listener may read this topic."""
        self._heard.add(topic)

    def tick(self, now_s: float, *, connection: int, messages: int, is_connected: bool, is_new: bool) -> None:
        """Look whether anything has arrived; `connection` and `messages` are counted from the start on.

        `is_new` says that no sensor was ever heard, so nothing proves that it is possible.
        """
        if connection != self._connection or not is_connected:
            self.close()
            self._connection, self._messages, self._since_s = connection, messages, now_s
            self._heard.clear()
            self._set(None)
        elif messages > self._messages:
            self.close()
            self._messages = messages
            # From now on, silence is what the monitor judges.
            self._since_s = float("inf")
            self._set(None)
        elif self._look is None:
            if now_s - self._since_s > PATIENCE_S:
                self._look = _Look(self._broker, now_s)
        else:
            self._set(self._judge(self._look, now_s, is_new=is_new))

    def close(self) -> None:
        """End the second connection."""
        if self._look is not None:
            self._look.close()
            self._look = None

    def _judge(self, look: "_Look", now_s: float, *, is_new: bool) -> str | None:
        elsewhere = [
            topic
            for topic, payload in look.heard()
            if not is_probe(payload) and not self._is_subscribed(topic) and self._is_reading(topic, payload)
        ]
        if elsewhere:
            topics = ", ".join(elsewhere[:_MAX_TOPICS])
            wanted = ", ".join(self._broker.topic_filters)
            return (
                f"sensors publish on {topics}, but the listener only listens to {wanted}: set ECC_MQTT_TOPICS"
                " in .env to the sensors' topic, or correct the topic in the sensors"
            )
        if now_s - look.since_s < _ANSWER_S:
            return None
        user, answers = self._broker.username, look.answers()
        unheard = [topic for topic, code in answers.items() if code < _FAILURE and topic not in self._heard]
        denied = [topic for topic, code in answers.items() if code == _NOT_AUTHORISED]
        # An account that may only read can't prove that it may; then what was heard before has to do.
        if unheard or (denied and is_new and not self._heard):
            topics = ", ".join(unheard or denied)
            return (
                f"the broker delivers nothing on {topics} to user {user!r}: its access rules must let this"
                " user read these topics (and write, so that this can be checked)"
            )
        return None

    def _is_subscribed(self, topic: str) -> bool:
        return any(matches(topic_filter, topic) for topic_filter in self._broker.topic_filters)

    def _set(self, fault: str | None) -> None:
        if fault and fault != self.fault:
            _log.error("Connected, but deaf: %s", fault)
        elif self.fault and fault is None:
            _log.info("The listener can hear again")
        self.fault = fault


class _Look:
    """One look: it runs in paho's own thread, and ends in bounded time when it is closed."""

    def __init__(self, broker: Broker, now_s: float) -> None:
        self.since_s = now_s
        self._broker = broker
        self._lock = Lock()
        self._heard: dict[str, bytes] = {}
        self._sent: dict[int, str] = {}
        self._answers: dict[str, int] = {}
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{broker.client_id[:40]}-look",
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.username_pw_set(broker.username, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.on_connect = self._connected
        client.on_message = self._arrived
        client.on_publish = self._answered
        client.connect_async(broker.host, broker.port, keepalive=60)
        client.loop_start()

    def heard(self) -> list[tuple[str, bytes]]:
        """Return the topics on which something has come, each with the last payload."""
        with self._lock:
            return [*self._heard.items()]

    def answers(self) -> dict[str, int]:
        """Return the broker's reason codes for the probes, by their topics."""
        with self._lock:
            return dict(self._answers)

    def close(self) -> None:
        """End the connection."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe("#", 0)
        with self._lock:
            for topic_filter in self._broker.topic_filters:
                topic = topic_filter.replace("+", PROBE.decode()).replace("#", PROBE.decode())
                # The payload is no secret, and no other program takes it for form fields of a sensor.
                self._sent[client.publish(topic, PROBE, 1).mid] = topic

    def _arrived(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            is_known = message.topic in self._heard
            if not message.retain and (is_known or len(self._heard) < _MAX_HEARD):
                self._heard[message.topic] = bytes(message.payload)

    def _answered(self, _client: mqtt.Client, _userdata: object, mid: int, code: object, *_: object) -> None:
        with self._lock:
            if topic := self._sent.pop(mid, None):
                self._answers[topic] = getattr(code, "value", 0)
