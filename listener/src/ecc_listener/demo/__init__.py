"""The demonstration: broker, listener, page and simulated rooms, with nothing but Python.

Everything in it runs on one clock that is faster than real time, so that hours pass in minutes.
Start with `command`. `history` writes the month before, `processes` starts the programs, `program` runs
listener and page by the fast clock, `mailbox` receives the messages, and `screen` shows it.
"""
