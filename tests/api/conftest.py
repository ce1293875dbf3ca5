"""The same store and clock as for the drive's tests."""

from tests.drive.conftest import site

__all__ = ["site"]
