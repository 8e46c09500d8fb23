"""Tables by the names that a script gives them: those that it made or changed, and what the graph knows of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshline.errors import Ambiguous, MeshlineError, NotFound
from meshline.graph.definitions import Definition, Version
from meshline.graph.model import AssetKey, AssetKind
from meshline.ingest.proposed.shape import Known
from meshline.ingest.proposed.tables import Table
from meshline.sql.statement_lineage import Relation


class Tables:
    """`by_name`: those that were asked for. `base`: what tables were before the script, where the graph is not asked.
    `defaults`: the catalog and the schema that names may leave out; '' for one that is not known.
    """

    def __init__(self, known: Known, options: Mapping[str, str], base: Mapping[Relation, Version[Definition]]) -> None:
        self._known = known
        self._namespace = known.context.namespace(options.get("namespace", ""))
        self._base = base
        self._by_key: dict[AssetKey, Table] = {}
        catalog, schema = options.get("catalog", ""), options.get("schema", "")
        self.defaults: Relation = (catalog, schema) if catalog else (schema,) if schema else ()
        self.by_name: dict[Relation, Table] = {}
        self.guessed: dict[AssetKey, str] = {}  # by names without their catalog: as the script writes them

    def full(self, relation: Relation) -> Relation:
        """A name with the parts that it leaves out, as far as they are known."""
        missing = len(self.defaults) + 1 - len(relation)
        return (*filter(None, self.defaults[:missing]), *relation) if missing > 0 else relation

    def use(self, parts: Relation) -> None:
        """`USE lake.orders`: what names leave out from now on."""
        self.defaults = parts if len(parts) > 1 or not self.defaults else (*self.defaults[:-1], *parts)

    def columns(self, relation: Relation) -> list[str]:
        """Of a table as it is now; empty if it is not known."""
        try:
            table = self.table(relation)
        except MeshlineError:
            return []
        return list(table.names) if table.now is not None else []

    def found(self, relation: Relation) -> Table | None:
        try:
            return self.table(relation)
        except NotFound:
            return None

    def table(self, relation: Relation) -> Table:
        """As the script made it, else as it was before. Raises NotFound, Ambiguous."""
        full = self.full(relation)
        name = folded(full)
        if name in self.by_name:
            return self.by_name[name]
        key, error = None, None
        try:
            key = self._key(full)
        except NotFound as found:
            error = found
        if key is not None and key in self._by_key:
            return self._by_key[key]
        version = self._base.get(name)
        if version is not None:
            key = self._said(full) if key is None else key
            table = Table(version._replace(datasets={"": (key,)} if key is not None else {}), key, ".".join(full))
        elif key is not None:
            table = Table(self._known.definition(key), key, key.qualified_name)
        else:
            assert error is not None
            raise error
        if key is not None:
            self._by_key[key] = table
        self.by_name[name] = table
        return table

    def _key(self, full: Relation) -> AssetKey:
        """The dataset of a name: by what was said of the namespace, else by an alias of the catalog, else without the catalog."""
        aliases = self._known.context.aliases
        dotted = ".".join(full)
        if self._namespace:
            return self._dataset([f"{self._namespace}/{dotted}"])
        aliased = [f"{aliases[full[0]]}/{'.'.join(full[1:])}"] if len(full) > 1 and full[0] in aliases else []
        return self._dataset([*aliased, dotted], [".".join(full[i:]) for i in range(1, len(full) - 1)])

    def _dataset(self, forms: Sequence[str], shorter: Sequence[str] = ()) -> AssetKey:
        """The first of these names that is one's. `shorter`: names that may leave out too much, so that a whole name goes before the
        end of one. Raises NotFound, Ambiguous.
        """
        first: NotFound | None = None
        for form in (*forms, *shorter):
            try:
                key = self._known.asset(f"dataset:{form}")
            except NotFound as error:
                first = first or error
                continue
            except Ambiguous as error:
                whole = [one for one in error.candidates if one.endswith(f"/{form}")]
                if form not in shorter or len(whole) != 1:
                    raise Ambiguous(f"{error} (by its namespace: --namespace)", error.candidates) from error
                key = self._known.asset(whole[0])
            if key.kind is AssetKind.DATASET:
                if form in shorter:
                    self.guessed[key] = forms[-1]
                return key
        raise NotFound(str(first).replace("'dataset:", "'"))

    def new(self, full: Relation) -> Table:
        """One that nobody knows yet; a dataset if its namespace was said."""
        key = self._said(full)
        table = self.by_name[folded(full)] = Table(None, key, ".".join(full) if key is None else key.qualified_name)
        return table

    def _said(self, full: Relation) -> AssetKey | None:
        """The dataset that a name means where the graph knows none: of the namespace that is given; None without one."""
        return self._known.context.naming.dataset(self._namespace, ".".join(full)) if self._namespace else None

    def rename(self, table: Table, old: Relation, new: Relation) -> None:
        """`new` stays in the schema of the old name if it names none."""
        full = (*old[:-1], *new) if len(new) == 1 else new
        key = table.key
        if key is not None:
            known = key.parts[1]
            cut = max(known.rfind("/"), -1) + 1
            parts = known[cut:].split(".")
            key = self._known.context.naming.dataset(key.parts[0], known[:cut] + ".".join(full[-len(parts) :] if not cut else full[-1:]))
        table.rename(key, ".".join(full))
        self.by_name.pop(folded(old), None)
        self.by_name[folded(full)] = table


def folded(relation: Relation) -> Relation:
    """As names are compared: whatever their case."""
    return tuple(part.casefold() for part in relation)
