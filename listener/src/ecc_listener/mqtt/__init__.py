"""The session with the broker: connect, receive bursts, acknowledge, reconnect.

Bytes from a socket enter; `Message` tuples leave. Nothing is acknowledged before the caller says so.
Start with `session`; `framing` takes packets from the socket, `deliveries` recognises what is sent twice.
"""
