"""The `statewright` command: a face of the engine, on its public API."""
