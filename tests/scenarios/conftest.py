"""Fixtures for the tests of scenarios."""

from __future__ import annotations

import copy

import pytest

from tests.report_case import Case, make_case


@pytest.fixture(scope="session")
def whole_case() -> Case:
    """A whole report's input; not to be changed."""
    return make_case()


@pytest.fixture
def case(whole_case: Case) -> Case:
    """A whole report's input; each test has its own."""
    return copy.deepcopy(whole_case)
