"""The sentences of notices, for mail, page and status alike.

A notice enters; its headline, cause, advice and details leave.
Start with `texts.ini`, which has the sentences; `texts` chooses and fills them in, `details` lists what was
measured, `phrases` formats numbers and times.
"""
