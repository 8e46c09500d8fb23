"""Functions in Python that compute features from features, as their text shows it. It is parsed, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterable

MAX_CHARACTERS = 100_000


def find_inputs(text: str, outputs: Iterable[str]) -> dict[str, frozenset[str]] | None:
    """The names of the inputs that each output is computed from, such as `found["share"] = inputs["a"] / inputs["b"]`.

    None if the text does not show that of every output.
    """
    if not text or len(text) > MAX_CHARACTERS:
        return None
    try:
        functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        if len(functions) != 1:
            return None
        found = _Reader(functions[0])
        found.read(functions[0].body)
    except (SyntaxError, ValueError, UnknownInputs, RecursionError, MemoryError):
        return None
    wanted = list(outputs)
    return {name: frozenset(found.columns[name]) for name in wanted} if all(name in found.columns for name in wanted) else None


class UnknownInputs(Exception):
    """The text does not show what an output is computed from; the message states why."""


class _Reader:
    """The assignments of a function. `columns`: of the result, by the inputs that they are made of."""

    def __init__(self, function: ast.FunctionDef) -> None:
        self._parameters = {argument.arg for argument in function.args.args}
        self._variables: dict[str, set[str]] = {}
        self.columns: dict[str, set[str]] = {}

    def read(self, statements: Iterable[ast.stmt]) -> None:
        for one in statements:
            if isinstance(one, ast.Assign):
                self._assign(one.targets, self._collect(one.value))
            elif isinstance(one, ast.AnnAssign) and one.value is not None:
                self._assign([one.target], self._collect(one.value))
            elif isinstance(one, ast.Return) and isinstance(one.value, ast.Dict):
                for key, value in zip(one.value.keys, one.value.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        self.columns[key.value] = self._collect(value)
            elif not isinstance(one, ast.Return | ast.Expr | ast.Import | ast.ImportFrom | ast.Pass):
                raise UnknownInputs("a statement whose effect is not known")

    def _assign(self, targets: Iterable[ast.expr], names: set[str]) -> None:
        for target in targets:
            if isinstance(target, ast.Name):
                self._variables[target.id] = names
            elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, str):
                self.columns[target.slice.value] = names
            else:
                raise UnknownInputs("a target whose name is not known")

    def _collect(self, value: ast.expr) -> set[str]:
        """The inputs that an expression reads."""
        found: set[str] = set()
        inside: set[int] = set()
        for node in ast.walk(value):
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant):
                inside.add(id(node.value))
                name = str(node.slice.value)
                of_result = node.value.id not in self._parameters and name in self.columns
                found |= self.columns[name] if of_result else {name}
        for node in ast.walk(value):
            if isinstance(node, ast.Name) and id(node) not in inside:
                if node.id in self._parameters:
                    raise UnknownInputs("all inputs are read together")
                found |= self._variables.get(node.id, set())
        return found
