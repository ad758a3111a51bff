"""The demonstration: broker, listener, page and simulated rooms with nothing but Python.

Start with `command`; `processes` starts the programs, `table` draws the screen.
"""
