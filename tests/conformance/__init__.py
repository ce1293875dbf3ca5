"""The recordings of AWS, played by the engine: `adapter` runs one case in the world that `world` builds for it.

There is one file per service that stands in for the real one.  A stand-in knows what it was asked and what the case's
`setup`, `script`, `state_machines`, `lambdas` and `mock_config` say; none reads what was recorded of the execution.
"""
