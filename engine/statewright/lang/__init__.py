"""The query languages: expressions are parsed once into frozen nodes and evaluated against a `Scope`."""
