"""Sign in at the broker once and ask for the subscription, to find out what prevents it.

The session of the listener is not touched: this is a client of its own, which the broker forgets at once.
"""

import secrets
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from ecc_listener.mqtt.session import Broker
from ecc_listener.mqtt.tls_errors import explain, explain_handshake


def find_fault(broker: Broker, timeout_s: float = 4.0) -> str | None:
    """Return what prevents this account from receiving the topics; None if nothing does."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"ecc-doctor-{secrets.token_hex(4)}")
    client.connect_timeout = timeout_s
    client.username_pw_set(broker.username, broker.password)
    if broker.tls is not None:
        client.tls_set_context(broker.tls)
    answers: list[str | None] = []
    where = f"broker {broker.host}:{broker.port}"

    def connected(_client: object, _data: object, _flags: object, code: ReasonCode, _more: object) -> None:
        if code.is_failure:
            answers.append(f"{where} refuses user {broker.username!r}: {code}")
        else:
            client.subscribe([(topic, 1) for topic in broker.topic_filters])

    def subscribed(_client: object, _data: object, _mid: int, codes: list[ReasonCode], _more: object) -> None:
        refused = [topic for topic, code in zip(broker.topic_filters, codes, strict=True) if code.is_failure]
        answers.append(f"{where} refuses the subscription to {', '.join(refused)}" if refused else None)

    client.on_connect, client.on_subscribe = connected, subscribed
    deadline_s = time.monotonic() + timeout_s
    try:
        client.connect(broker.host, broker.port)
        while not answers and time.monotonic() < deadline_s:
            if client.loop(0.2) != MQTTErrorCode.MQTT_ERR_SUCCESS and not answers:
                answers.append(f"{where} closes the connection")
        client.disconnect()
    except (OSError, ValueError) as error:
        meaning = (explain_handshake(error) or explain(error)) if broker.tls else None
        return f"{where} can't be reached: {meaning or getattr(error, 'strerror', None) or error}"
    return answers[0] if answers else f"{where} accepts the connection but does not answer"
