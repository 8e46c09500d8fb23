"""Naming rules: what a separate process gets."""

from __future__ import annotations

import pickle

from meshline.graph.naming import DATE_PARTITION, Naming


def test_a_separate_process_gets_the_same_rules() -> None:
    """The parser of a check's texts runs in a process of its own, to which the rules are sent."""
    rules = Naming([(DATE_PARTITION, "")])
    key = rules.normalise_dataset("s3://lake", "orders/day=2024-01-01")
    assert key.parts == ("s3://lake", "orders")
    sent = pickle.loads(pickle.dumps(rules))
    assert (sent.digest, sent.trimmers) == (rules.digest, rules.trimmers)
    assert sent.normalise_dataset("s3://lake", "orders/day=2024-01-02") == key
