"""What it means when TLS to the broker fails, each in a sentence with the next step.

The numbers are those of OpenSSL's `x509_vfy.h`, the names those of its error reasons.
"""

import ssl

_CERTIFICATE = {
    9: "its certificate is not valid yet; check the clock of this machine and of the one that made it",
    10: "its certificate has expired; renew it at the broker",
    18: "its certificate is signed by itself; give that certificate as ECC_MQTT_CA_FILE",
    19: "its certificate is from another CA; give that CA's certificate as ECC_MQTT_CA_FILE",
    20: "its certificate is from another CA; give that CA's certificate as ECC_MQTT_CA_FILE",
    21: "its certificate is from another CA; give that CA's certificate as ECC_MQTT_CA_FILE",
    62: "its certificate is for another name; set ECC_MQTT_BROKER to a name that is in it",
    64: "its certificate is for another address; set ECC_MQTT_BROKER to a name that is in it",
}
_NO_TLS = "there is no TLS on this port; set ECC_MQTT_PORT to the broker's port for TLS, usually 8883"
_REASONS = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "UNEXPECTED_EOF_WHILE_READING": _NO_TLS,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the broker wants a client certificate; this program has none",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the broker only speaks an older version of TLS; update it",
    "UNSUPPORTED_PROTOCOL": "the broker only speaks an older version of TLS; update it",
}


def explain(error: Exception) -> str | None:
    """Return what an error of a connection with TLS means; None if it has nothing to do with TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(error.verify_code, f"its certificate is refused: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return _NO_TLS if isinstance(error, ssl.SSLEOFError) else _REASONS.get(error.reason or "")
    return None


def explain_handshake(error: Exception) -> str | None:
    """Do the same for an error of the first moment, when a broker without TLS just ends the connection."""
    if isinstance(error, ConnectionResetError):
        return f"it ends the connection in place of a handshake; most likely {_NO_TLS}"
    return explain(error)
