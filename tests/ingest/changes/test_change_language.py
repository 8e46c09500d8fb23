"""Changes in words."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshline.errors import Ambiguous, InvalidInput, NotFound
from meshline.graph.content import decode_facts
from meshline.graph.model import EdgeType, build_dataset_key
from meshline.ingest.changes import ChangeInput, GraphState, Text, build_proposal
from tests.ingest.changes.conftest import Ask
from tests.ingest.changes.proposals import (
    CUSTOMER_ORDERS,
    CUSTOMERS,
    LAKE,
    SHARED,
    get_dataset,
    get_pair,
    get_versions,
    list_fields,
    list_names,
    list_removed_columns,
    list_renamed_columns,
)

TABLE = f"{LAKE}/orders.customer_orders"


def test_a_column_is_dropped(ask: Ask) -> None:
    found = ask("change", "drop customers.customers.email")
    before, after = get_versions(found)
    assert list_removed_columns(found) == {"email"}
    assert get_dataset(before) == get_dataset(after) == CUSTOMERS
    assert before.value.model.name == after.value.model.name == CUSTOMERS.qualified_name
    assert before.value.format == "iceberg"


@pytest.mark.parametrize(
    "name",
    [
        f"{TABLE}.customer_email",
        f'"{TABLE}.customer_email"',
        f'{LAKE}/"orders"."customer_orders".customer_email',
        f"{CUSTOMER_ORDERS.qualified_name}.customer_email",
    ],
)
def test_names_are_as_everywhere(ask: Ask, name: str) -> None:
    assert list_removed_columns(ask("change", f"drop {name}")) == {"customer_email"}


def test_an_id_names_a_table(ask: Ask) -> None:
    before, after = get_pair(ask("change", f"drop {CUSTOMERS.id}"))
    assert before is not None
    assert get_dataset(before) == CUSTOMERS
    assert after is None


@pytest.mark.parametrize(
    "text", ["drop table customers.customers", "drop view customers.customers", "DROP customers.customers", "remove customers.customers"]
)
def test_a_table_is_dropped(ask: Ask, text: str) -> None:
    assert get_pair(ask("change", text)).after is None


@pytest.mark.parametrize(
    "text",
    [
        "rename customers.customers.email to mail",
        "rename column customers.customers.email to customers.customers.mail",
        'rename customers.customers.email to "mail"',
    ],
)
def test_a_column_is_renamed(ask: Ask, text: str) -> None:
    found = ask("change", text)
    assert list_renamed_columns(found) == {"email": "mail"}
    assert list_names(get_versions(found)[1])[2] == "mail"  # where it was


# -- other words for the same

OF = "customers.customers"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (f"drop the column email from {OF}", f"drop {OF}.email"),
        (f"drop column email from table {OF}", f"drop {OF}.email"),
        (f"Drop the email column from the table {OF}", f"drop {OF}.email"),
        (f"drop email from {OF}", f"drop {OF}.email"),
        (f"delete {OF}.email", f"drop {OF}.email"),
        (f"DELETE TABLE {OF}", f"drop table {OF}"),
        (f"drop {OF}.email and {OF}.country", f"drop {OF}.email; drop {OF}.country"),
        (f"drop {OF}.email, {OF}.country, and {OF}.phone_number", f"drop {OF}.email; drop {OF}.country; drop {OF}.phone_number"),
        (f"drop columns email and country from {OF}", f"drop {OF}.email; drop {OF}.country"),
        (f"drop column {OF}.email and table {TABLE}", f"drop {OF}.email; drop table {TABLE}"),
        (f"rename {OF}.email -> mail", f"rename {OF}.email to mail"),
        (f"rename {OF}.email->mail", f"rename {OF}.email to mail"),
        (f"rename {OF}.email → mail", f"rename {OF}.email to mail"),
        (f"rename column email to mail in {OF}", f"rename {OF}.email to mail"),
        (f"rename the column email of {OF} to mail", f"rename {OF}.email to mail"),
        (f"rename {OF} -> clients", f"rename table {OF} to clients"),
        (f"change type of {OF}.email to varchar(20)", f"retype {OF}.email to varchar(20)"),
        (f"change the type of the column email in {OF} to varchar(20)", f"retype {OF}.email to varchar(20)"),
        (f"change {OF}.email from string to decimal(20, 2)", f"retype {OF}.email to decimal(20, 2)"),
        (f"retype {OF}.email -> varchar(20)", f"retype {OF}.email to varchar(20)"),
        (f"retype email in {OF} to varchar(20)", f"retype {OF}.email to varchar(20)"),
        (f"add column nickname varchar(20) to {OF}", f"add {OF}.nickname varchar(20)"),
        (f"add nickname varchar(20) not null to table {OF}", f"add {OF}.nickname varchar(20) required"),
        (f"add {OF}.nickname varchar(20) nullable", f"add {OF}.nickname varchar(20)"),
        (f"add {OF}.nick int required; make {OF}.nick nullable", f"add {OF}.nick int"),
        (f"add {OF}.nick int required, make nick in {OF} optional", f"add {OF}.nick int"),
        (f"make the column email of {OF} not null", f"require {OF}.email"),
        (f"make {OF}.email NOT NULL", f"require {OF}.email"),
        (f"make {OF}.email required", f"require {OF}.email"),
        (f"ALTER TABLE {OF} DROP COLUMN email", f"drop {OF}.email"),
        (f"alter table {OF} drop column email, drop column country;", f"drop {OF}.email; drop {OF}.country"),
        (f"alter table {OF} rename column email to mail", f"rename {OF}.email to mail"),
    ],
)
def test_other_words_for_the_same(ask: Ask, text: str, plain: str) -> None:
    found, wanted = ask("change", text), ask("change", plain)
    assert found.pairs == wanted.pairs
    assert found.entries == wanted.entries
    assert found.pairs


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"change {OF}.email to mail", "write `rename A to B` or `retype A to TYPE`"),
        (f"change {OF}.email from email to mail", "write `rename A to B` or `retype A to TYPE`"),
        (f"drop table {OF} from orders", "a table is not in a table"),
        (f"rename table {OF} to x in orders", "a table is not in a table"),
        (f"make {OF}.email unique", "write `make A not null` or `make A nullable`"),
        (f"add column nickname to {OF}", "its type is missing"),
        ("add table x", "a table is added by SQL"),
        (f"retype {OF}.email to", "its type is missing"),
        (f"retype column email to varchar(20) in {OF}", "its type is missing, or has words that no type has"),
        (f"drop {OF}.email and rename {OF}.country to land", "accepted are"),
        (f"drop {OF}.email and", "accepted are"),
        (f"drop {OF}.email {OF}.country", "accepted are"),
        (f"deprecate {OF}.email", "accepted are"),
        (f"add orders.x string to {OF}", "is in no column of"),
    ],
)
def test_unclear_texts_are_refused(ask: Ask, text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match="accepted are `drop COLUMN`") as raised:
        ask("change", text, file="")
    assert why in str(raised.value)


def test_a_column_of_a_table_that_has_no_such_column(ask: Ask) -> None:
    with pytest.raises(NotFound, match=r"customers.customers.emial': did you mean .*email"):
        ask("change", f"drop column emial from {OF}")


def test_sql_beside_words(ask: Ask) -> None:
    found = ask("change", f"drop {TABLE}.status\n\nalter table {OF} drop column email", file="plan")
    assert [next(iter(pair.before.datasets.values()))[0] for pair in found.pairs if pair.before] == [CUSTOMER_ORDERS, CUSTOMERS]
    assert [pair.after.find_line(()) for pair in found.pairs if pair.after] == [1, 3]
    with pytest.raises(InvalidInput, match=r"customers.customers: changed in words and by SQL"):
        ask("change", f"drop {OF}.country; alter table {OF} drop column email")
    with pytest.raises(NotFound, match=r"plan:2"):
        ask("change", f"\nalter table {OF} drop column emial", file="plan")


def test_a_type_before_that_is_another_is_a_warning(ask: Ask) -> None:
    assert ask("change", f"change {OF}.email from STRING to varchar(20)").warnings == ()
    (warning,) = ask("change", f"change {OF}.email from int to varchar(20)").warnings
    assert "the type of email is string and not int, as far as is known" in warning


def test_a_new_name_with_spaces(ask: Ask) -> None:
    assert list_renamed_columns(ask("change", 'rename customers.customers.email to "e mail, ""home"" ü"')) == {"email": 'e mail, "home" ü'}


@pytest.mark.parametrize(
    ("new", "wanted"),
    [
        ("clients", "customers.clients"),
        ("crm.clients", "crm.clients"),
        (f"{LAKE}/crm.clients", "crm.clients"),
        ("lake/crm.clients", "crm.clients"),
    ],
)
def test_a_table_is_renamed(ask: Ask, new: str, wanted: str) -> None:
    before, after = get_versions(ask("change", f"rename table customers.customers to {new}"))
    assert get_dataset(before) == CUSTOMERS
    assert get_dataset(after) == build_dataset_key(LAKE, wanted)
    assert after.value.model.name == f"{LAKE}/{wanted}"
    assert list_names(before) == list_names(after)


def test_a_table_is_not_renamed_to_one_that_is_there(ask: Ask) -> None:
    with pytest.raises(InvalidInput, match="there is a table"):
        ask("change", f"rename table customers.customers to {TABLE}")


def test_several_changes_of_one_table_are_one_pair(ask: Ask) -> None:
    found = ask(
        "change",
        f"retype {TABLE}.total_amount to decimal(20, 2), require {TABLE}.currency; add {TABLE}.note string\n"
        f"# a remark\nadd {TABLE}.paid boolean required\noptional {TABLE}.order_id, drop {TABLE}.status",
        file="plan.txt",
    )
    _, after = get_versions(found)
    fields = list_fields(after)
    assert fields["total_amount"].type == "decimal(20, 2)"
    assert fields["currency"].required is True
    assert (fields["note"].type, fields["note"].required) == ("string", False)
    assert fields["paid"].required is True
    assert list_removed_columns(found) == {"status"}
    assert [after.find_line(("field", name)) for name in ("total_amount", "note", "paid", "status")] == [1, 1, 3, 4]
    assert after.file == "plan.txt"


def test_changes_of_two_tables_are_two_pairs(ask: Ask) -> None:
    found = ask("change", f"drop {TABLE}.status; drop customers.customers.email")
    assert [next(iter(pair.before.datasets.values()))[0] for pair in found.pairs if pair.before] == [CUSTOMER_ORDERS, CUSTOMERS]


def test_a_change_sees_what_one_before_it_did(ask: Ask) -> None:
    found = ask(
        "change",
        "rename customers.customers.email to mail\nrename customers.customers.mail to address\nrequire customers.customers.address",
    )
    assert list_renamed_columns(found) == {"email": "address"}
    assert list_fields(get_versions(found)[1])["address"].required is True
    assert ask("change", "rename customers.customers.email to mail; rename customers.customers.mail to email").pairs == ()
    of = "customers.customers"
    swapped = ask("change", f"rename {of}.email to x; rename {of}.phone_number to email; rename {of}.x to phone_number")
    assert list_renamed_columns(swapped) == {"email": "phone_number", "phone_number": "email"}


def test_a_column_that_is_dropped_and_added_is_another_one(ask: Ask) -> None:
    found = ask("change", "drop customers.customers.email; add customers.customers.email string")
    assert list_removed_columns(found) == {"email"}
    assert "email" in list_names(get_versions(found)[1])


def test_a_type_with_commas_and_spaces(ask: Ask) -> None:
    found = ask("change", "retype customers.customers.email to struct<a: int, drop: string>, drop customers.customers.country")
    assert list_fields(get_versions(found)[1])["email"].type == "struct<a: int, drop: string>"
    assert list_removed_columns(found) == {"country"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n;",
        "drop",
        "frobnicate x",
        "drop a b",
        "rename customers.customers.email mail",
        "rename customers.customers.email to",
        "retype customers.customers.email",
        "add customers.customers.x",
        "add customers.customers",
        "add x string",
        "rename customers.customers.email to a.b",
        'drop "x',
    ],
)
def test_what_is_not_understood_lists_what_is(ask: Ask, text: str) -> None:
    with pytest.raises((InvalidInput, NotFound)) as raised:
        ask("change", text, file="")
    assert isinstance(raised.value, NotFound) or "accepted are `drop COLUMN`" in str(raised.value)


def test_an_unknown_name_has_near_misses(ask: Ask) -> None:
    with pytest.raises(NotFound, match=r"plan:2: no asset is called 'customers.customers.emial': did you mean .*email"):
        ask("change", "drop customers.customers.phone_number\ndrop customers.customers.emial", file="plan")
    with pytest.raises(NotFound, match=r"no asset is called 'customers.customrs': did you mean"):
        ask("change", "add customers.customrs.x string")


def test_an_ambiguous_name_lists_candidates(ask: Ask) -> None:
    with pytest.raises(Ambiguous, match="may be") as raised:
        ask("change", "drop orders.customer_orders.total_amount")
    assert f"column:{TABLE}.total_amount" in raised.value.candidates


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("consumer:finance-analytics", "consumer"),
        ("customer-orders-contract-v2", "contract"),
        ("domain:orders", "domain"),
        ("customer-orders", "data product"),
    ],
)
def test_only_tables_and_columns_are_changed_so(ask: Ask, name: str, what: str) -> None:
    with pytest.raises(InvalidInput, match=rf"is the {what} .*only tables and columns are changed so"):
        ask("change", f"drop {name}")


def test_a_table_is_not_required(ask: Ask) -> None:
    with pytest.raises(InvalidInput, match=r"customers.customers' is the dataset .*only a column is changed so"):
        ask("change", "require customers.customers")


def test_a_column_that_is_there_is_not_added(ask: Ask) -> None:
    with pytest.raises(InvalidInput, match="has a column 'email' already"):
        ask("change", "add customers.customers.email string")
    with pytest.raises(InvalidInput, match="has a column 'phone_number' already"):
        ask("change", "rename customers.customers.email to phone_number")


def test_the_sources_would_state_the_change(ask: Ask) -> None:
    """The listing of the catalog, and what was recorded under the old name goes on under the new one."""
    found = ask("change", "rename customers.customers.email to mail; drop customers.customers.country")
    stated = {
        entry.scope[0] if len(entry.scope) != 4 else entry.scope[3]: (source, decode_facts(entry.content.blob))
        for source, entry in found.entries
    }
    source, listing = stated["columns"]
    assert source == "iceberg/lake"
    listed = {edge.end.name: edge.attributes["position"] for edge in listing.edges if edge.type is EdgeType.HAS_COLUMN}
    assert "mail" in listed
    assert not {"email", "country"} & listed.keys()
    assert [(edge.start.name, edge.end.name) for edge in stated["column-renamed"][1].edges] == [("email", "mail")]
    assert stated["column-dropped"][1].assets[0].key.name == "country"
    attributes = {fact.key.name: fact.attributes for fact in listing.assets}
    assert attributes["mail"]["field_id"] == 3


def test_a_dropped_table_is_no_longer_stated(ask: Ask) -> None:
    found = ask("change", f"drop {SHARED.qualified_name}")
    assert found.entries
    for _, entry in found.entries:
        facts = decode_facts(entry.content.blob)
        assert not [fact for fact in facts.assets if fact.key.parts[:2] == SHARED.parts]


WORDS = st.sampled_from(
    [
        "drop",
        "rename",
        "retype",
        "add",
        "require",
        "optional",
        "table",
        "column",
        "to",
        "customers.customers",
        "customers.customers.email",
        ".email",
        "customers.customers.mail",
        "mail",
        "string",
        "required",
        "decimal(1,2)",
        ";",
        "\n",
        ",",
        '"',
        "(",
        ")",
        "<",
        ".",
        "..",
        "ü",
        "x.y.z",
        "dataset:",
        "job:x",
        "not null",
        "and",
        "from",
        "in",
        "the",
        "change",
        "make",
        "alter table customers.customers drop column",
        "->",
        "type of",
    ]
)


@given(st.lists(WORDS, max_size=12).map(" ".join) | st.text(max_size=60))
@example("drop customers.customers.email; require customers.customers.email")
@example('rename table customers.customers to "/"')
@example("add customers.customers.email.x string")
def test_nothing_else_is_raised(known: GraphState, text: str) -> None:
    try:
        found = build_proposal(ChangeInput("change", None, Text("f", text.encode("utf-8", "surrogatepass")), {}), known)
    except (InvalidInput, NotFound, Ambiguous):
        return
    assert all(pair.before != pair.after for pair in found.pairs)
