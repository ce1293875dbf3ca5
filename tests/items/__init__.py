"""Tests of what a distributed Map reads from and writes to."""
