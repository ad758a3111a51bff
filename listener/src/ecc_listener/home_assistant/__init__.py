"""Sensors as devices of Home Assistant, by its MQTT discovery.

What the monitor knows about sensors enters; retained messages leave, over their own connection.
Start with `discovery` (pure: which messages), then `publisher` (how they are sent); `bridge` sends what has
changed. Source of the format: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""
