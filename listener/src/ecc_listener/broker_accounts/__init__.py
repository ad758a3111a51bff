"""Who may use the broker: accounts in `secrets/` go in, the broker's password file and access rules come out.

Start with `broker_files`.
"""
