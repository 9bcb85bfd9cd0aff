"""What names Python code binds, scope by scope: what `ablation.support.definitions` resolves references with."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

Import = ast.Import | ast.ImportFrom
DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, *filter(None, [getattr(ast, "TypeAlias", None)]))


class Target(NamedTuple):
    """What an import binds a name to.

    Attributes
    ----------
    level : int
        How many folders up a relative import starts; 0 for an absolute one.
    path : tuple of str
        The module.
    attributes : tuple of str
        What is taken from it: names that it binds, or modules below it.
    """

    level: int
    path: tuple[str, ...]
    attributes: tuple[str, ...] = ()


def import_targets(statement: Import) -> Iterator[tuple[str, Target]]:
    """List the names that an import binds, ``*`` for all of a module's, with their targets."""
    for alias in statement.names:
        name = alias.asname or alias.name
        if isinstance(statement, ast.ImportFrom):
            path = tuple(statement.module.split(".")) if statement.module else ()
            yield name, Target(statement.level, path, () if name == "*" else (alias.name,))
        else:
            first, *rest = alias.name.split(".")
            yield (name, Target(0, (first,), tuple(rest))) if alias.asname else (first, Target(0, (first,)))


class Names(ast.NodeVisitor):
    """Collects the names that statements or expressions bind in their own scope, not those of scopes within."""

    def __init__(self, nodes: Iterable[ast.AST]):
        self.bound: set[str] = set()
        self.imported: dict[str, set[Target]] = {}
        self.declared_global: set[str] = set()
        self.declared_nonlocal: set[str] = set()
        self._in_comprehension = False
        for node in nodes:
            self.visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        """Add the target of an assignment, a loop or ``with``; those of a comprehension are its own."""
        if not isinstance(node.ctx, ast.Load) and not self._in_comprehension:
            self.bound.add(node.id)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        """Add the target of ``:=``, which lies outside of the comprehension that it stands in."""
        self.bound.add(node.target.id)
        self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Add the function; only decorators and default values are evaluated in this scope."""
        self.bound.add(node.name)
        for part in (*node.decorator_list, node.args):
            self.visit(part)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Add the class; only decorators and bases are evaluated in this scope."""
        self.bound.add(node.name)
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Look at default values only, which are evaluated in this scope."""
        self.visit(node.args)

    def visit_ListComp(self, node: ast.AST) -> None:
        """Look for ``:=``: nothing else in a comprehension binds a name around it."""
        outside, self._in_comprehension = self._in_comprehension, True
        self.generic_visit(node)
        self._in_comprehension = outside

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    def visit_ExceptHandler(self, node: ast.AST) -> None:
        """Add the name of ``except`` or of a pattern of ``match``."""
        name = getattr(node, "rest", None) if isinstance(node, ast.MatchMapping) else node.name
        self.bound |= {name} - {None}
        self.generic_visit(node)

    visit_MatchAs = visit_MatchStar = visit_MatchMapping = visit_ExceptHandler

    def visit_Global(self, node: ast.Global) -> None:
        """Add names of the module."""
        self.declared_global.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        """Add names of a function around."""
        self.declared_nonlocal.update(node.names)

    def visit_Import(self, node: Import) -> None:
        """Add names with the targets that they are imported from."""
        for name, target in import_targets(node):
            self.imported.setdefault(name, set()).add(target)

    visit_ImportFrom = visit_Import


@dataclass(frozen=True)
class Scope:
    """The names of a function, a class body or a comprehension.

    Attributes
    ----------
    names : set of str
        Bound in ways that are not known before it runs: parameters, variables, names imported here or there.
    imports : dict of str to Target
        Names that are bound by one import and nothing else.
    declared_global : set of str
    is_class : bool
    """

    names: set[str]
    imports: dict[str, Target] = field(default_factory=dict)
    declared_global: set[str] = field(default_factory=set)
    is_class: bool = False

    @classmethod
    def of(cls, nodes: Iterable[ast.AST], parameters: Iterable[str] = (), is_class: bool = False) -> "Scope":
        """Return the scope that statements make."""
        found = Names(nodes)
        bound = found.bound | set(parameters)
        elsewhere = found.declared_global | found.declared_nonlocal
        imports = {
            name: next(iter(targets))
            for name, targets in found.imported.items()
            if len(targets) == 1 and name not in bound | elsewhere
        }
        names = (bound | set(found.imported)) - elsewhere - set(imports)
        return cls(names, imports, found.declared_global, is_class)


@dataclass(eq=False)
class Module:
    """A module's top level, sorted by what is done with it.

    Attributes
    ----------
    name : str
        Dotted name, or the path of a user file.
    path : Path
    folder : Path or None
        Where absolute imports look for modules beside a user file.
    definitions : dict of str to list of ast.stmt
        By name, all statements that define it.
    imports : dict of str to Target
        Names that are bound by one import and nothing else.
    stars : list of Target
        The modules of ``from module import *``.
    others : list of ast.stmt
        Statements that do something else than define.
    block_names : set of str
        Names that only those bind.
    """

    name: str
    path: Path
    folder: Path | None
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, Target] = field(default_factory=dict)
    stars: list[Target] = field(default_factory=list)
    others: list[ast.stmt] = field(default_factory=list)
    block_names: set[str] = field(default_factory=set)

    @cached_property
    def names(self) -> set[str]:
        """All names of the top level, but for those of star imports."""
        return {*self.definitions, *self.imports, *self.block_names}

    def read(self, source: bytes) -> None:
        """Sort the statements of the module's source."""
        binding: dict[str, list[ast.stmt]] = {}
        for statement in _top_level(ast.parse(source, str(self.path)).body):
            if isinstance(statement, Import):
                binding.setdefault(next(import_targets(statement))[0], []).append(statement)
            elif _defines(statement):
                for name in Names([statement]).bound:
                    binding.setdefault(name, []).append(statement)
            else:
                self.others.append(statement)
        block = Names(self.others)
        self.stars = [target for star in binding.pop("*", []) for _, target in import_targets(star)]
        self.stars += sorted(block.imported.pop("*", ()))
        in_blocks = {*block.bound, *block.imported}
        for name, statements in binding.items():
            targets = {found for each in statements if isinstance(each, Import) for _, found in import_targets(each)}
            if len(targets) == 1 and name not in in_blocks and all(isinstance(each, Import) for each in statements):
                self.imports[name] = targets.pop()
            else:  # an import among other bindings counts as one more assignment
                self.definitions[name] = statements
        self.block_names = in_blocks - set(binding)


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """List the statements that count: no docstrings, imports one by one, and nothing that is for type checkers only."""
    for statement in body:
        if isinstance(statement, Import):
            if getattr(statement, "module", None) != "__future__":
                fields = dict(ast.iter_fields(statement))
                yield from (type(statement)(**{**fields, "names": [alias]}) for alias in statement.names)
        elif isinstance(statement, ast.If) and _never_on_import(statement.test):
            yield from _top_level(statement.orelse)
        elif not (
            isinstance(statement, ast.Pass)
            or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            or (isinstance(statement, ast.AnnAssign) and statement.value is None)
            or _changes_all(statement)
        ):
            yield statement


def _never_on_import(test: ast.expr) -> bool:
    """Say whether a condition is for type checkers, or for a file that is run as a program."""
    return last_name(test) == "TYPE_CHECKING" or ast.unparse(test) == "__name__ == '__main__'"


def _defines(statement: ast.stmt) -> bool:
    """Say whether a statement only gives values to names."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        inner = [node for target in targets for node in ast.walk(target)]
        return not any(isinstance(node, ast.Attribute | ast.Subscript) for node in inner)
    return isinstance(statement, DEFINING)


def _changes_all(statement: ast.stmt) -> bool:
    """Say whether a statement lengthens ``__all__``; one that sets it is a definition, which hardly anybody names."""
    changed: Any = getattr(statement, "target", None) if isinstance(statement, ast.AugAssign) else None
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        changed = getattr(statement.value.func, "value", None)
    return isinstance(changed, ast.Name) and changed.id == "__all__"


def last_name(node: ast.AST | None) -> str | None:
    """Return ``c`` of ``c`` and of ``a.b.c``."""
    return getattr(node, "attr", getattr(node, "id", None))
