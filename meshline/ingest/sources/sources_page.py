"""`docs/sources/README.md`, made from the tables of kinds and of tried systems by scripts/make-docs."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from meshline.ingest.sources.registry import KINDS, get_source_class
from meshline.ingest.sources.tried_systems import TRIED, TriedSystem

PAGES = {
    "contract": "contracts",
    "product": "products",
    "gx": "quality",
    "soda": "quality",
    "snowflake": "warehouses",
    "bigquery": "warehouses",
    "redshift": "warehouses",
    "openlineage": "",
    "marquez": "../coming-from-marquez",
}

HEAD = """\
# Sources

Made from the code by `scripts/make-docs`. A source is a catalog, a set of files or a project that states what exists. It is read as a
whole: what it stated before and states no more is retracted, and what the graph knows already is not written again.

```text
meshline ingest KIND ...       one source, named on the command line
meshline sync [mesh.yaml]      the mesh file, and all of its `sources:`
meshline sources               all sources, with the outcome of their last sync
```

| kind | what | keys, besides `name` | [extra](../installation.md#extras) |
| --- | --- | --- | --- |
"""

TRIED_HEAD = """
## Tried on

The tests read the systems below. `real server`: the tests run the system, or the library that writes its files. `recorded`: they read what
such a system once wrote. `imitated server`: they run a program that another project made to imitate the system. `written after what it
sent`: its events are written down by hand from those of a system that ran. `documented shape only`: its documentation describes what is
read, and no such system ran.

| system | version | how | kind | what is read | what is not | test |
| --- | --- | --- | --- | --- | --- | --- |
"""

TAIL = """
## In the mesh file

```yaml
sources:
  - kind: openlineage
    name: example # the source is called kind/name; `default` if absent
    files: [events] # relative to the mesh file
    every: 10m # how often `meshline serve --mesh FILE` syncs it; absent: only on request
```

`meshline sync` loads the mesh file, then its sources in their order, then joins names by [rule](../identity.md#names-of-one-catalog). For
each source it prints how many of its statements were read, unchanged, new, changed, retracted and refused. A statement is what a source
states about one subject, such as the columns of a table or its constraints. What the source's system reports as unchanged is not read
again and counts as unchanged: `26 of 41 statements read, 41 unchanged`. Files of events are counted in events, and a file that did not
change is not read. Every refusal is printed with file and line, and the rest is ingested. A source that cannot be reached does not stop
the others. The exit code is 1 if anything was refused or could not be reached. `--strict` stops at the first source with a refusal, before
anything of that source is written. `--server URL` reads the sources on this machine, with its credentials and its network, and sends the
result to a server.

```console
$ printf 'version: 1\\nsource: shop\\nsources:\\n  - {kind: openlineage, name: example, files: [examples/mesh/events]}\\n' > shop.yaml
$ meshline sync shop.yaml --store sqlite:///sync.db
mesh/shop: 0 of 0 statements read, 0 unchanged, 0 new, 0 changed, 0 retracted, 0 refused
openlineage/example: 170 of 170 events read, 0 unchanged, 170 new, 0 changed, 0 retracted, 0 refused
$ meshline sync shop.yaml --store sqlite:///sync.db
mesh/shop: 0 of 0 statements read, 0 unchanged, 0 new, 0 changed, 0 retracted, 0 refused
openlineage/example: 0 of 170 events read, 170 unchanged, 0 new, 0 changed, 0 retracted, 0 refused
$ meshline sources --store sqlite:///sync.db
source               datasets  statements  last sync  lag  next  what it did
mesh/shop ... 0 of 0 statements read, 0 unchanged
openlineage/example ... 0 of 170 events read, 170 unchanged
```

An event that was ingested stays in the graph when its file is removed. A file with an event that was refused is read again each time, so
that the refusal is reported each time.

## On a schedule

`meshline serve --mesh FILE` syncs the sources that have `every`: at most [`sync_at_once`](../settings.md) at a time, never the same one
twice at a time, with a jitter of a tenth. A source that cannot be read is tried again after 30 seconds (or `every` if that is less), then
after twice as long each time, up to ten minutes (or `every` if that is more). Servers that share a store share the schedule: a source that
one server has synced is not due at the others. A server that is stopped ends the readings under way; of a reading that is written in one
commit, nothing is then written.

`/metrics` has `meshline_source_lag_seconds` (the time since a source was last read to its end: alert on this), `meshline_source_up`,
`meshline_source_sync_seconds`, `meshline_source_syncs_total` by outcome and `meshline_source_scopes_total` by what was done. GraphQL's
`sources` has the same and the error, also for sources that were synced by hand:

```graphql
{ sources { name kind datasets statements precedence { structure people } lag next lastSync { at read unchanged error } } }
```
"""


def build_sources_page() -> str:
    """The text of `docs/sources/README.md`. Needs the extras of all sources."""
    kinds = "".join(f"{row}\n" for row in _build_rows())
    return HEAD + kinds + TRIED_HEAD + "".join(f"{_build_tried_row(one)}\n" for one in TRIED) + TAIL


def _build_rows() -> Iterator[str]:
    for kind, (module, _, extra) in sorted(KINDS.items()):
        what = (import_module(module).__doc__ or kind).partition(":")[0].partition("\n\n")[0].replace("\n", " ")
        keys = ", ".join(f"`{field.alias or name}`" for name, field in get_source_class(kind).model_fields.items() if name != "name")
        yield f"| {_link_kind(kind)} | {what} | {keys} | {f'`{extra}`' if extra else ''} |"


def _build_tried_row(one: TriedSystem) -> str:
    test = f"[{one.test.rpartition('/')[2]}](../../{one.test})"
    return f"| {one.system} | {one.version} | {one.trial.value} | {_link_kind(one.kind)} | {one.read} | {one.unread} | {test} |"


def _link_kind(kind: str) -> str:
    page = PAGES.get(kind, kind)
    return f"[`{kind}`]({page}.md)" if page else f"`{kind}`"
