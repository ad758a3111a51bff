"""The sentences of notices, for mail, page and status alike. Pure.

A notice enters; its headline, cause, advice and details leave.
Start with `choose`; `sensor` and `system` have the sentences, `phrases` what several of them share.
"""
