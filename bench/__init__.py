"""Benchmarks: ``python -m bench``.  Ratios within one run count; the machine's absolute speed does not."""
