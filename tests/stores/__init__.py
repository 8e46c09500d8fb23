"""The contract of stores. Other tests import the shared modules, too, so pytest rewrites their asserts to show values."""

import pytest

SHARED = (
    "contract",
    "statements_contract",
    "commits_contract",
    "records_contract",
    "runs_contract",
    "journal_contract",
    "search_contract",
    "stateful",
    "laws",
)

pytest.register_assert_rewrite(*(f"tests.stores.{module}" for module in SHARED))
