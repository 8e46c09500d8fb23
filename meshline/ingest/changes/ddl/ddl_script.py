"""A DDL script, applied statement by statement to the graph's tables.

The functions above the class work on text and tokens where sqlglot's trees do not suffice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from meshline.errors import Ambiguous, InvalidInput, MeshlineError, NotFound
from meshline.graph.contracts import Definition, Version
from meshline.ingest.changes import GraphState
from meshline.ingest.changes.alignment import align_with_graph
from meshline.ingest.changes.ddl.alter import TableAlteration
from meshline.ingest.changes.ddl.create import Constraint, DefinitionBuilder, build_field, read_constraints
from meshline.ingest.changes.edited_tables import EditedTable, EditedTables, fold_case
from meshline.sql.dialects import DialectRules
from meshline.sql.script import Piece, build_no_sql_error, is_statement, parse_piece, split_script
from meshline.sql.statement_lineage import Relation

_PART = r'(?:[\w$-]+|`[^`]+`|"[^"]+"|\[[^\]]+\])'
ALTER = re.compile(
    rf"ALTER\s+(?:ICEBERG\s+)?TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?P<name>{_PART}(?:\s*\.\s*{_PART})*)\s+(?P<actions>.+)",
    re.IGNORECASE | re.DOTALL,
)


def find_line(node: exp.Expr, piece: Piece) -> int:
    """The line of the first name in a part of a statement."""
    named = next((one.meta["line"] for one in node.find_all(exp.Identifier) if "line" in one.meta), None)
    first = piece.tokens[0].line
    return first if named is None else max(int(named), first)


def normalise_text(tokens: Sequence[Token], sql: str) -> str:
    """A statement without comments, with single spaces."""
    text = ""
    end = tokens[0].start
    for one in tokens:
        text += (" " if one.start > end else "") + sql[one.start : one.end + 1]
        end = one.end + 1
    return text.strip()


def split_actions(text: str, rules: DialectRules) -> list[str] | None:
    """Split actions at commas outside of parentheses; None if a part is empty."""
    tokens = rules.dialect.tokenize(text)
    parts: list[str] = []
    begin = depth = 0
    for one in tokens:
        depth += (one.token_type in (TokenType.L_PAREN, TokenType.L_BRACKET)) - (one.token_type in (TokenType.R_PAREN, TokenType.R_BRACKET))
        if one.token_type is TokenType.COMMA and not depth:
            parts.append(text[begin : one.start].strip())
            begin = one.end + 1
    parts.append(text[begin:].strip())
    whole = re.match(r"(SET|DROP)\s+IDENTIFIER|SET\s+PROPERTIES", text, re.IGNORECASE)
    return [text.strip()] if whole else parts if all(parts) else None


def move_token(token: Token, to: Token) -> Token:
    return Token(token.token_type, token.text, to.line, to.col, token.start, token.end, token.comments)


def build_piece(node: exp.Expr, rules: DialectRules, piece: Piece) -> Piece:
    """A generated statement that replaces another one, on its line."""
    one = split_script(rules, node.sql(rules.dialect), piece.file)[0]
    return one._replace(tokens=[move_token(one.tokens[0], piece.tokens[0]), *one.tokens[1:]])


Step: TypeAlias = Callable[["Script", exp.Expr, Piece], None]

_SEVERAL = frozenset({"SCHEMA", "DATABASE", "CATALOG"})


class Script:
    """Applies a script. `made`: the tables that it creates; `seen`: its statements; `base`: see `EditedTables`."""

    def __init__(
        self, known: GraphState, rules: DialectRules, options: Mapping[str, str], base: Mapping[Relation, Version[Definition]]
    ) -> None:
        self._rules = rules
        self._temporary: set[Relation] = set()
        self._constraints: dict[int, dict[str, Constraint]] = {}  # constraints with known names, by table
        self._data: dict[str, int] = {}  # counts of statements that change no schema, by kind
        self.tables = EditedTables(known, options, base)
        self.made: set[Relation] = set()
        self.seen: set[str] = set()
        self.warnings: list[str] = []
        self._definitions = DefinitionBuilder(rules, self.tables, self.warnings)

    def apply(self, sql: str, file: str, *, without: frozenset[str] | set[str] = frozenset(), lenient: bool = False) -> None:
        """Apply a text. `without`: statements of the old version, which are not applied again to tables that the text does not create.
        `lenient`: statements that cannot be applied are skipped, since they were applied before.

        Raises InvalidInput, NotFound, Ambiguous with the place.
        """
        found = split_script(self._rules, sql, file)
        is_sql = not found
        for piece in found:
            statement = normalise_text(piece.tokens, sql)
            self.seen.add(statement)
            try:
                there_before = statement in without and self._is_of_other_tables(statement)
                is_sql = there_before or self._apply_piece(piece) or is_sql
            except (InvalidInput, NotFound, Ambiguous) as error:
                if not lenient:
                    raise _add_place(error, piece.where) from error
                is_sql = True
            except (RecursionError, AttributeError, ValueError, TypeError, LookupError) as error:  # sqlglot's trees have many shapes
                raise InvalidInput(f"this statement is not understood ({type(error).__name__})", piece.where) from error
        if not is_sql:
            raise build_no_sql_error(self._rules, found[0])
        if self._data and not lenient:
            kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self._data.items()))
            self.warnings.append(f"{file}: statements that change no schema are not checked: {kinds}")

    def _apply_piece(self, piece: Piece) -> bool:
        """Apply one statement. Returns False if the text is no statement."""
        try:
            nodes = parse_piece(self._rules, piece)
        except InvalidInput:
            if not self._alter_text(piece):
                raise
            return True
        for node in nodes:
            if isinstance(node, exp.Command) and node.name.upper() == "ALTER":
                if not self._alter_text(piece):
                    self._refuse_alter(piece)
            else:
                self._apply_node(node, piece)
        return any(map(is_statement, nodes))

    def _apply_node(self, node: exp.Expr, piece: Piece) -> None:
        step = next((step for classes, step in _STEPS if isinstance(node, classes)), None)
        if step is not None:
            step(self, node, piece)

    def create(self, node: exp.Expr, piece: Piece) -> None:
        kind = str(node.args.get("kind") or "").upper()
        if kind not in ("TABLE", "VIEW"):
            if kind in ("PROCEDURE", "TRIGGER"):
                self.warnings.append(f"{piece.where}: CREATE {kind}: its effects are not read")
            return
        schema = node.this if isinstance(node.this, exp.Schema) else None
        name = node.this if schema is None else schema.this
        relation = self.tables.complete_name(self._rules.parse_relation(name))
        if _is_temporary(node, name):
            self._temporary.add(fold_case(relation))
            return
        table = self.tables.find_table(relation)
        if table is not None and table.now is not None and node.args.get("exists"):
            self.warnings.append(f"{piece.where}: {table.name} already exists, so CREATE ... IF NOT EXISTS changes nothing")
            return
        definition = self._definitions.build_definition(node, piece, table)
        if table is None:
            table = self.tables.add_table(relation)
        table.replace_definition(definition, align_with_graph)
        self.made.add(fold_case(relation))
        table.mark(piece.tokens[0].line)
        for one in definition.model.fields:
            table.mark(piece.tokens[0].line, "field", one.name)
        for column in schema.expressions if schema is not None else ():
            if isinstance(column, exp.ColumnDef):
                table.mark(find_line(column, piece), "field", build_field(column, self._rules, "").name)
        table.mark(piece.tokens[0].line)
        altering = TableAlteration(table, self._rules, piece.tokens[0].line, self._get_constraints(table))
        for constraint in read_constraints(schema.expressions if schema is not None else (), self._rules):
            altering.constrain(constraint)

    def alter(self, node: exp.Expr, piece: Piece) -> None:
        kind = str(node.args.get("kind") or "TABLE").upper()
        if kind not in ("TABLE", "VIEW"):
            return
        relation = self.tables.complete_name(self._rules.parse_relation(node.this))
        if fold_case(relation) in self._temporary:
            return
        try:
            table = self.tables.get_table(relation)
        except NotFound:
            if not node.args.get("exists"):
                raise
            self.warnings.append(f"{piece.where}: {'.'.join(relation)} is not known, so ALTER ... IF EXISTS changes nothing")
            return
        known = self._get_constraints(table)
        for action in node.args.get("actions") or ():
            if isinstance(action, exp.AlterRename) and not node.args.get("options"):
                self.tables.rename(table, relation, self._rules.parse_relation(action.this))
                table.mark(piece.tokens[0].line)
            elif isinstance(action, exp.Query):
                create = exp.Create(this=node.this.copy(), kind="VIEW", replace=True, expression=action.copy())
                self.create(create, build_piece(create, self._rules, piece))
            else:
                TableAlteration(table, self._rules, find_line(action, piece), known).apply(action, node.args.get("options") or [])

    def drop(self, node: exp.Expr, piece: Piece) -> None:
        kind = str(node.args.get("kind") or "").upper()
        if kind in _SEVERAL:
            raise InvalidInput(f"DROP {kind} drops all its tables, which are not known here: write DROP TABLE for each")
        if kind not in ("TABLE", "VIEW"):
            return
        for one in node.args.get("tables") or ():
            relation = self.tables.complete_name(self._rules.parse_relation(one))
            if fold_case(relation) in self._temporary:
                self._temporary.discard(fold_case(relation))
                continue
            try:
                table = self.tables.get_table(relation)
                table.drop()
            except (NotFound, InvalidInput):
                if not node.args.get("exists"):
                    raise
                self.warnings.append(f"{piece.where}: {'.'.join(relation)} is not known, so DROP ... IF EXISTS changes nothing")
                continue
            table.mark(piece.tokens[0].line)

    def execute(self, node: exp.Expr, piece: Piece) -> None:
        """T-SQL renames by a procedure."""
        values = [one.this.name if isinstance(one, exp.Paren) else one.name for one in node.expressions]
        if node.this.name.lower() != "sp_rename" or len(values) < 2:
            self.warnings.append(f"{piece.where}: EXEC: its effects are not read")
            return
        parts = tuple(part.strip("[]") for part in values[0].split("."))
        if len(values) > 2 and values[2].upper() == "COLUMN":
            table = self.tables.get_table(self.tables.complete_name(parts[:-1]))
            own = table.get_column(parts[-1]).name
            table.rename_column(own, values[1])
            for name in (own, values[1]):
                table.mark(piece.tokens[0].line, "field", name)
        elif len(values) == 2 or values[2].upper() == "OBJECT":
            table = self.tables.get_table(self.tables.complete_name(parts))
            self.tables.rename(table, self.tables.complete_name(parts), (values[1],))
            table.mark(piece.tokens[0].line)

    def use(self, node: exp.Expr, _: Piece) -> None:
        if isinstance(node.this, exp.Table):
            self.tables.use(self._rules.parse_relation(node.this))

    def count_data(self, node: exp.Expr, _: Piece) -> None:
        kind = "SELECT" if isinstance(node, exp.Query) else node.key.upper().removesuffix("TABLE")
        self._data[kind] = self._data.get(kind, 0) + 1

    def apply_block(self, node: exp.Expr, piece: Piece) -> None:
        for child in node.iter_expressions():
            self._apply_node(child, piece)

    def check_command(self, node: exp.Expr, piece: Piece) -> None:
        """Check a statement that sqlglot leaves as text; most of them change no schema. Raises InvalidInput for one that does."""
        word = node.name.upper()
        if word in ("RENAME", "UNDROP", "REPLACE", "FLASHBACK"):
            raise InvalidInput(f"this {word} is not understood: write it as ALTER TABLE or CREATE")
        if word in ("CALL", "CREATE", "DO", "EXEC", "EXECUTE"):
            self.warnings.append(f"{piece.where}: {word}: its effects are not read")

    def _get_constraints(self, table: EditedTable) -> dict[str, Constraint]:
        return self._constraints.setdefault(id(table), {})

    def _alter_text(self, piece: Piece) -> bool:
        """Apply the actions of an ALTER TABLE that sqlglot cannot parse as a whole. Returns whether all are understood."""
        match = ALTER.fullmatch(normalise_text(piece.tokens, piece.sql))
        if match is None:
            return False
        relation = self.tables.complete_name(self._rules.parse_relation(exp.to_table(match["name"], dialect=self._rules.dialect)))
        actions = split_actions(match["actions"], self._rules)
        if actions is None:
            return False
        for action in actions:
            table = self.tables.get_table(relation)
            altering = TableAlteration(table, self._rules, piece.tokens[0].line, self._get_constraints(table))
            if altering.apply_text(action):
                continue
            if len(actions) == 1 and action == match["actions"].strip():
                return False
            alone = split_script(self._rules, f"ALTER TABLE {match['name']} {action}", piece.file)[0]
            nodes = parse_piece(self._rules, alone)
            if not all(isinstance(node, exp.Alter) for node in nodes):
                return False
            for node in nodes:
                self.alter(node, alone._replace(tokens=[move_token(alone.tokens[0], piece.tokens[0]), *alone.tokens[1:]]))
        return True

    def _refuse_alter(self, piece: Piece) -> None:
        words = [part.text.upper() for part in piece.tokens[:3]]
        if words[1:2] and words[1] in ("TABLE", "VIEW", "MATERIALIZED", "DYNAMIC", "EXTERNAL", "ICEBERG"):
            raise InvalidInput(f"this ALTER {words[1]} of {self._rules.name} is not understood; another --dialect may be meant")

    def _is_of_other_tables(self, statement: str) -> bool:
        """Whether a statement alters or drops a table that this text does not create."""
        words = statement.split(maxsplit=3)
        if words[0].upper() == "CREATE":
            return False
        match = ALTER.fullmatch(statement)
        if match is None:
            return True
        relation = self.tables.complete_name(self._rules.parse_relation(exp.to_table(match["name"], dialect=self._rules.dialect)))
        return fold_case(relation) not in self.made


def _is_temporary(node: exp.Expr, table: exp.Expr) -> bool:
    properties = node.args.get("properties")
    return bool(properties is not None and properties.find(exp.TemporaryProperty)) or bool(table.this.args.get("temporary"))


def _add_place(error: InvalidInput | NotFound | Ambiguous, where: str) -> MeshlineError:
    if isinstance(error, Ambiguous):
        return Ambiguous(f"{where}: {error}", error.candidates)
    if isinstance(error, NotFound):
        return NotFound(f"{where}: {error}")
    return error if error.where else InvalidInput(str(error), where)


_STEPS: tuple[tuple[type[exp.Expr] | tuple[type[exp.Expr], ...], Step], ...] = (
    (exp.Create, Script.create),
    (exp.Alter, Script.alter),
    (exp.Drop, Script.drop),
    (exp.Use, Script.use),
    (exp.Execute, Script.execute),
    ((exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy, exp.TruncateTable, exp.MultitableInserts), Script.count_data),
    ((exp.Block, exp.IfBlock), Script.apply_block),
    (exp.Command, Script.check_command),
)
