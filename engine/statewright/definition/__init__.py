"""Definitions of state machines: read with the place of every node, linted, compiled, drawn."""
