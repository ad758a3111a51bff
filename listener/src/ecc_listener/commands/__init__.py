"""The verbs of the command line that are no package of their own; each parses, calls, prints.

Start with `cli`, which names them all.
"""
