"""Reach, distance, masks, limits: one small graph for each rule."""

from __future__ import annotations

import time

from meshline.graph.index import Reach, Truncated
from meshline.graph.model import Facts
from tests.index.graphs import describe_path, describe_reached, get_node, traverse_down, traverse_up
from tests.index.heads import NS, Fold, build_flow, build_index, build_output_scope, build_schema, build_statement, state_lineage


def test_direct_then_indirect_then_possible() -> None:
    index = build_index(
        state_lineage(build_flow("a.x", "b.x"), build_flow("b.x", "c.x", "INDIRECT"), build_flow("c", "d")),
        build_statement(build_schema("d", "p"), ("dataset", NS, "d")),
    )
    assert describe_reached(index, traverse_down(index, "a.x")) == {
        "b.x": "DIRECT 1",
        "c.x": "INDIRECT 2",
        "d": "POSSIBLE 3",
        "d.p": "POSSIBLE 3",
    }
    assert describe_reached(index, traverse_up(index, "d.p")) == {
        "c": "POSSIBLE 1",
        "c.x": "POSSIBLE 1",
        "b.x": "POSSIBLE 2",
        "a.x": "POSSIBLE 3",
    }


def test_the_strongest_class_wins_over_the_shortest_path() -> None:
    index = build_index(
        state_lineage(build_flow("a.x", "z.z", "INDIRECT"), build_flow("a.x", "b.x"), build_flow("b.x", "c.x"), build_flow("c.x", "z.z"))
    )
    assert describe_reached(index, traverse_down(index, "a.x"))["z.z"] == "DIRECT 3"


def test_within_a_class_the_shortest_counts_through_stronger_edges_too() -> None:
    """The way to z in G_1 is shorter by an INDIRECT edge to b, which is DIRECT at a greater distance."""
    edges = [
        build_flow("a.x", "m.x"),
        build_flow("m.x", "n.x"),
        build_flow("n.x", "b.x"),
        build_flow("a.x", "b.x", "INDIRECT"),
        build_flow("b.x", "z.z", "INDIRECT"),
    ]
    index = build_index(state_lineage(*edges))
    assert describe_reached(index, traverse_down(index, "a.x")) == {
        "m.x": "DIRECT 1",
        "n.x": "DIRECT 2",
        "b.x": "DIRECT 3",
        "z.z": "INDIRECT 2",
    }


def test_column_to_dataset_reaches_all_its_columns() -> None:
    index = build_index(
        state_lineage(build_flow("a.x", "b", "INDIRECT", subtype="JOIN"), build_flow("b.q", "c.q")),
        build_statement(build_schema("b", "p", "q"), ("dataset", NS, "b")),
    )
    assert describe_reached(index, traverse_down(index, "a.x")) == {
        "b": "INDIRECT 1",
        "b.p": "INDIRECT 1",
        "b.q": "INDIRECT 1",
        "c.q": "INDIRECT 2",
    }
    assert describe_reached(index, traverse_up(index, "c.q")) == {"b.q": "DIRECT 1", "a.x": "INDIRECT 2"}


def test_a_dataset_reached_through_a_column_does_not_pass_it_on_to_the_others() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.p")), build_statement(build_schema("b", "p", "q"), ("dataset", NS, "b")))
    assert describe_reached(index, traverse_down(index, "a.x")) == {"b.p": "DIRECT 1"}


def test_an_uncovered_pair_is_followed_from_any_column_of_the_input() -> None:
    index = build_index(
        state_lineage(build_flow("a.x", "b.x"), build_flow("b", "c")), build_statement(build_schema("b", "y"), ("dataset", NS, "b"))
    )
    assert describe_reached(index, traverse_down(index, "b.y")) == {"c": "POSSIBLE 1"}
    assert traverse_down(index, "a.x").completeness.possible_only == 1


def test_a_covered_pair_is_not_followed_unless_another_statement_has_it_uncovered() -> None:
    covered = state_lineage(build_flow("a.x", "b.x"), build_flow("a", "b", covered=True))
    index = build_index(covered, build_statement(build_schema("b", "y"), ("dataset", NS, "b")))
    assert describe_reached(index, traverse_down(index, "a.x")) == {"b.x": "DIRECT 1"}
    both = build_index(
        covered, build_statement(build_schema("b", "y"), ("dataset", NS, "b")), state_lineage(build_flow("a", "b"), scope="two")
    )
    assert describe_reached(both, traverse_down(both, "a.x")) == {"b.x": "DIRECT 1", "b": "POSSIBLE 1", "b.y": "POSSIBLE 1"}


def test_cycles_end_and_a_start_is_never_its_own_answer() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.x"), build_flow("b.x", "a.x"), build_flow("b.x", "b.x"), build_flow("a", "a")))
    assert describe_reached(index, traverse_down(index, "a.x")) == {"b.x": "DIRECT 1", "a": "POSSIBLE 1"}
    assert [(step.start, step.end) for step in traverse_down(index, "a.x").list_flows() if step.start == step.end] == []


def test_traversal_never_turns_around() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.x"), build_flow("a.x", "c.x"), build_flow("d.x", "b.x")))
    assert describe_reached(index, traverse_down(index, "b.x")) == {}
    assert describe_reached(index, traverse_up(index, "b.x")) == {"a.x": "DIRECT 1", "d.x": "DIRECT 1"}


def test_starting_from_a_dataset_starts_from_its_columns() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.x"), build_flow("a", "c")))
    assert describe_reached(index, traverse_down(index, "a")) == {"b.x": "DIRECT 1", "c": "POSSIBLE 1"}


# -- masks


def test_masked_if_no_path_without_masking_exists_in_the_class() -> None:
    index = build_index(
        state_lineage(build_flow("a.x", "b.x", masking=True), build_flow("b.x", "c.x"), build_flow("a.x", "d.x"), build_flow("d.x", "c.x"))
    )
    assert describe_reached(index, traverse_down(index, "a.x")) == {"b.x": "DIRECT 1 masked", "d.x": "DIRECT 1", "c.x": "DIRECT 2"}


def test_a_longer_clean_path_unmasks_what_is_behind_it() -> None:
    """The clean path arrives at b after b's edges were followed."""
    clean = [build_flow("a.x", "m.x"), build_flow("m.x", "n.x"), build_flow("n.x", "b.x")]
    index = build_index(
        state_lineage(
            build_flow("a.x", "b.x", masking=True),
            build_flow("b.x", "c.x"),
            build_flow("c.x", "d", "INDIRECT"),
            build_flow("d.y", "e.y"),
            *clean,
        )
    )
    assert describe_reached(index, traverse_down(index, "a.x")) == {
        "b.x": "DIRECT 1",
        "m.x": "DIRECT 1",
        "n.x": "DIRECT 2",
        "c.x": "DIRECT 2",
        "d": "INDIRECT 3",
        "d.y": "INDIRECT 3",
        "e.y": "INDIRECT 4",
    }


def test_direct_masked_and_indirect_unmasked_is_direct_and_masked() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.x", masking=True), build_flow("a.x", "b.x", "INDIRECT")))
    assert describe_reached(index, traverse_down(index, "a.x")) == {"b.x": "DIRECT 1 masked"}


def test_possible_through_a_clean_column_after_a_masked_one() -> None:
    """The dataset's own edges are met first by a masked column, then by a clean one."""
    index = build_index(
        state_lineage(
            build_flow("a.x", "b.x", masking=True),
            build_flow("a.x", "m.x"),
            build_flow("m.x", "b.y"),
            build_flow("b", "c"),
            build_flow("c.z", "d.z"),
        )
    )
    assert describe_reached(index, traverse_down(index, "a.x")) == {
        "b.x": "DIRECT 1 masked",
        "m.x": "DIRECT 1",
        "b.y": "DIRECT 2",
        "c": "POSSIBLE 2",
        "c.z": "POSSIBLE 2",
        "d.z": "POSSIBLE 3",
    }


def test_a_limit_counts_for_clean_paths_too() -> None:
    clean = [build_flow("a.x", "m.x"), build_flow("m.x", "n.x"), build_flow("n.x", "b.x")]
    index = build_index(state_lineage(build_flow("a.x", "b.x", masking=True), *clean))
    assert describe_reached(index, traverse_down(index, "a.x", depth=2))["b.x"] == "DIRECT 1 masked"
    assert describe_reached(index, traverse_down(index, "a.x", depth=3))["b.x"] == "DIRECT 1"


# -- limits


def test_reach_limits_the_class() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.x"), build_flow("b.x", "c.x", "INDIRECT"), build_flow("c", "d")))
    assert describe_reached(index, traverse_down(index, "a.x", reach=Reach.DIRECT)) == {"b.x": "DIRECT 1"}
    assert set(describe_reached(index, traverse_down(index, "a.x", reach=Reach.INDIRECT))) == {"b.x", "c.x"}


def test_depth_is_reported_only_if_it_cut_something_off() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.x"), build_flow("b.x", "c.x")))
    cut, whole = traverse_down(index, "a.x", depth=1), traverse_down(index, "a.x", depth=2)
    assert (describe_reached(index, cut), cut.completeness.truncated) == ({"b.x": "DIRECT 1"}, Truncated.DEPTH)
    assert (len(whole.nodes), whole.completeness.truncated) == (2, Truncated.NONE)
    assert describe_reached(index, traverse_down(index, "a.x", depth=0)) == {}


def test_depth_is_reported_if_it_cut_off_a_weaker_flow() -> None:
    index = build_index(
        state_lineage(build_flow("a.x", "b.x"), build_flow("b.x", "c.x", "INDIRECT"), build_flow("d.x", "e.x"), build_flow("e", "f"))
    )
    for start in ("a.x", "d.x"):
        assert traverse_down(index, start, depth=1).completeness.truncated is Truncated.DEPTH
        assert traverse_down(index, start, depth=1, reach=Reach.DIRECT).completeness.truncated is Truncated.NONE
        assert traverse_down(index, start, depth=2).completeness.truncated is Truncated.NONE


def test_depth_is_reported_if_it_cut_off_a_way_without_masking() -> None:
    index = build_index(state_lineage(build_flow("a.x", "c.x", masking=True), build_flow("a.x", "b.x"), build_flow("b.x", "c.x")))
    cut, whole = traverse_down(index, "a.x", depth=1), traverse_down(index, "a.x", depth=2)
    assert (describe_reached(index, cut), cut.completeness.truncated) == ({"b.x": "DIRECT 1", "c.x": "DIRECT 1 masked"}, Truncated.DEPTH)
    assert (describe_reached(index, whole), whole.completeness.truncated) == ({"b.x": "DIRECT 1", "c.x": "DIRECT 1"}, Truncated.NONE)


def test_the_nearest_nodes_are_kept_and_of_equals_the_first_by_name() -> None:
    index = build_index(state_lineage(*(build_flow("a.x", f"{name}.x") for name in "edcb"), build_flow("b.x", "z.x")))
    cut = traverse_down(index, "a.x", max_nodes=2)
    assert (describe_reached(index, cut), cut.completeness.truncated) == ({"b.x": "DIRECT 1", "c.x": "DIRECT 1"}, Truncated.NODES)
    whole = traverse_down(index, "a.x", max_nodes=5)
    assert (len(whole.nodes), whole.completeness.truncated) == (5, Truncated.NONE)


def test_a_deadline_in_the_past_ends_a_long_walk() -> None:
    index = build_index(
        state_lineage(build_flow("a", "b")), build_statement(build_schema("b", *(f"c{i}" for i in range(60_000))), ("dataset", NS, "b"))
    )
    late = traverse_down(index, "a", deadline=time.monotonic() - 1)
    assert late.completeness.truncated is Truncated.TIME


def test_seen_since_leaves_older_statements_out() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.x"), at=5), state_lineage(build_flow("a.x", "c.x"), scope="two", at=9))
    assert set(describe_reached(index, traverse_down(index, "a.x"))) == {"b.x", "c.x"}
    assert set(describe_reached(index, traverse_down(index, "a.x", seen_since=9))) == {"c.x"}


# -- completeness


def test_stale_provisional_and_undescribed_are_counted() -> None:
    index = build_index(
        build_statement(Facts(flows=(build_flow("a.x", "b.x"),)), build_output_scope("j", "b"), 1, version="r1"),
        build_statement(Facts(flows=(build_flow("b.x", "c.x"),)), build_output_scope("j", "c"), 2, version="r2", provisional=True),
        build_statement(build_schema("c", "x"), ("dataset", NS, "c")),
    )
    got = traverse_down(index, "a.x").completeness
    assert (got.stale_edges, got.provisional, got.undescribed, got.possible_only) == (1, 1, 2, 0)
    assert (got.as_of, got.revision) == (None, 1)


def test_what_is_left_of_a_job_is_of_its_latest_run() -> None:
    fold = Fold()
    older = build_statement(Facts(flows=(build_flow("a.x", "b.x"),)), build_output_scope("j", "b"), 1, version="r1")
    newer = build_statement(Facts(flows=(build_flow("b.x", "c.x"),)), build_output_scope("j", "c"), 2, version="r2")
    fold.add(older, newer)
    index = fold.build_index()
    assert traverse_down(index, "a.x").completeness.stale_edges == 1
    index.changes.apply(fold.withdraw(newer))
    assert traverse_down(index, "a.x").completeness.stale_edges == 0


def test_what_one_run_or_runs_of_one_parent_state_is_not_stale() -> None:
    def count_stale(first: str, second: str) -> int:
        index = build_index(
            build_statement(Facts(flows=(build_flow("a.x", "b.x"),)), build_output_scope("j", "b"), 1, version=first),
            build_statement(Facts(flows=(build_flow("b.x", "c.x"),)), build_output_scope("j", "c"), 2, version=second),
        )
        return traverse_down(index, "a.x").completeness.stale_edges

    assert count_stale("r1", "r2") == 1
    assert count_stale("r1", "r1") == 0  # of a stream
    assert count_stale("r1#dag", "r2#dag") == 0
    assert count_stale("r1#dag", "r2#other") == 1
    assert count_stale("dag", "r2") == 1


# -- paths


def test_a_path_goes_on_from_a_whole_dataset_by_containment() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b", "INDIRECT"), build_flow("b.y", "c.y"), build_flow("c", "d")))
    traversal = traverse_down(index, "a.x")
    assert describe_path(index, traversal, "c.y") == ["a.x > b", "b.y > c.y"]
    assert describe_path(index, traversal, "d") == ["a.x > b", "b.y > c.y", "c > d"]
    assert describe_path(index, traverse_up(index, "d"), "a.x") == ["a.x > b", "b.y > c.y", "c > d"]


def test_the_path_to_a_dataset_is_that_of_its_first_column() -> None:
    index = build_index(state_lineage(build_flow("a.x", "b.y"), build_flow("a.x", "b.p")))
    assert describe_path(index, traverse_down(index, "a.x"), "b") == ["a.x > b.p"]


def test_paths_come_strongest_first_then_shortest() -> None:
    index = build_index(
        state_lineage(
            build_flow("a.x", "z.z", "INDIRECT"),
            build_flow("a.x", "b.x"),
            build_flow("b.x", "z.z"),
            build_flow("a.x", "c.x"),
            build_flow("c.x", "d.x"),
            build_flow("d.x", "z.z"),
            build_flow("d.x", "c.x"),
        )
    )
    paths = index.lineage.find_paths(get_node(index, "a.x"), get_node(index, "z.z"))
    assert [(len(steps), max(step.reach for step in steps)) for steps in paths] == [
        (2, Reach.DIRECT),
        (3, Reach.DIRECT),
        (1, Reach.INDIRECT),
    ]
    assert len(index.lineage.find_paths(get_node(index, "a.x"), get_node(index, "z.z"), first=1)) == 1
    assert index.lineage.find_paths(get_node(index, "z.z"), get_node(index, "a.x")) == []
