"""What every store must pass. The shared modules are imported by other tests, too: their asserts are to be told in full."""

import pytest

SHARED = (
    "contract",
    "statements_contract",
    "commits_contract",
    "records_contract",
    "journal_contract",
    "search_contract",
    "stateful",
    "laws",
)

pytest.register_assert_rewrite(*(f"tests.stores.{module}" for module in SHARED))
