"""Durable engines side by side: the same ten steps in a row, each step and each execution persisted with fsync."""
