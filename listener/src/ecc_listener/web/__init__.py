"""The page: every room at a glance, its events, the state of the stack, and the same as JSON for programs.

The way of an answer::

    browser -> guard (who, what, how much) -> a view -> query (read-only, bounded) -> template or JSON

A view is a module with `ROUTES`; `app` puts them together. The page reads the store's files and the health
file, and nothing of the loop, so it works as well when the listener has stopped.
"""
