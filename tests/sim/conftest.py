"""Real servers, for the comparison."""

from tests.store.conftest import deployment, pytest_generate_tests

__all__ = ["deployment", "pytest_generate_tests"]
