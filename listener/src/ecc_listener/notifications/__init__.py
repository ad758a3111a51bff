"""What is sent, to whom, in which words; the outbox and its senders.

Problems enter; messages leave by mail and apprise, each recorded in the database before it is sent.
Start with `policy` (what is sent when) and `wording` (the sentences); then `outbox`, `sender`, `channels`.
"""
