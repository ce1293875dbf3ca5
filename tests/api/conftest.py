"""The same store and clock as for the drive's tests."""

from tests.drive.conftest import pytest_pyfunc_call, site

__all__ = ["pytest_pyfunc_call", "site"]
