"""The verbs of the command line that have no package of their own; each parses, calls and prints.

Start with `cli`, which lists all verbs.
"""
