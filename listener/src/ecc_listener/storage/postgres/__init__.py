"""PostgreSQL in place of the SQLite file, chosen by `database_url`; nothing else imports this.

A `Burst` enters; rows leave, in one transaction. Start with `store`; `insert` turns readings into rows,
`schema` has the tables, and views with the SQLite file's names, `connection` takes the same statements.
"""
