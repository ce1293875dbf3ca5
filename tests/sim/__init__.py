"""The engine under a seeded simulator: production workers and the real scripts, a simulated server, network and clock.

`server` and `keyspace`, with the Lua beside them, are Redis as far as the engine uses it; `loop` and `network` are what
a process has of the world; `world` runs several processes with faults that a seed chooses, `checker` judges what they
left behind, and `mutants` proves that it would notice.  ``python -m tests.sim --help``
"""
