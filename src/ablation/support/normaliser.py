"""The normal form of code: its text without what cannot change a result, and without where things stand.

A name that means a definition of a followed module is written ``$name`` wherever it comes from, one of a library as
its full dotted name with an exclamation mark, ``!torch.nn.Conv2d``: neither sign can be confused with a local name.
"""

import ast
import builtins
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ablation.support.bindings import Import, Module, Scope, Target, import_targets, last_name

if TYPE_CHECKING:
    from ablation.support.definitions import Key, Reference, Sources

WHOLE = "*"  # a module with all that it binds: what a reference falls back to that cannot be resolved
OTHERS = "<module>"  # the statements of a module that define nothing, which all of its definitions depend on
REFLECTION = ("globals", "eval", "exec")  # what can reach any name of the module that it is called in


class Copier(ast.NodeVisitor):
    """Copies a tree while it visits it: a statement that defines two names is read for each."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Copy a node; a body that is left empty passes."""
        fields = {name: self.copied(value) for name, value in ast.iter_fields(node)}
        if fields.get("body") == []:
            fields["body"] = [ast.Pass()]
        return type(node)(**fields)

    def copied(self, value: Any) -> Any:
        """Copy a field of a node; a statement may become several, or none."""
        if isinstance(value, list):
            copies = [self.copied(item) for item in value]
            return [item for copy in copies for item in (copy if isinstance(copy, list) else [copy])]
        return self.visit(value) if isinstance(value, ast.AST) and value._fields else value


class Unquoter(Copier):
    """Replaces quoted annotations by what they say."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """Read text as an expression, if it is one."""
        try:
            return ast.parse(node.value, mode="eval").body if isinstance(node.value, str) else node
        except SyntaxError:
            return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """Keep what ``Literal`` quotes: it is a value."""
        return node if last_name(node.value) == "Literal" else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Keep a call: what it quotes are values."""
        return node


class Normaliser(Copier):
    """Brings one definition of a module into its normal form, and notes what it refers to.

    Parameters
    ----------
    sources : Sources
    module : Module

    Attributes
    ----------
    labels : dict of (Module, str) to str
        The definitions that the text names, each with the name that stands for it there.
    """

    def __init__(self, sources: "Sources", module: Module):
        self.sources, self.module = sources, module
        self.labels: dict[Key, str] = {}
        self._scopes: list[Scope] = []

    def label(self, key: "Key") -> str:
        """Return the name of a definition in the text: its own, numbered where several of the same name occur."""
        if key not in self.labels:
            same = sum(name == key[1] for _, name in self.labels)
            self.labels[key] = f"${key[1]}${same + 1}" if same else f"${key[1]}"
        return self.labels[key]

    def whole(self) -> ast.expr:
        """Return all that the module binds, as one expression."""
        names = sorted(self.module.names)
        stars = [self._written(self.sources.resolve(self.module, star)) for star in self.module.stars]
        return ast.Dict(
            [*map(ast.Constant, names), *(None for _ in stars)], [*(self._name(name, ()) for name in names), *stars]
        )

    # --- What does not count.

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list:
        """Leave out docstrings, and other constants that stand alone."""
        return [] if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        """Leave out the u of u"text"."""
        return ast.Constant(node.value)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """Leave out the annotation of a parameter."""
        return ast.arg(node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | list:
        """Leave out annotations but those of a class body, which make the fields of dataclasses and models."""
        if self._scopes and self._scopes[-1].is_class:
            fields = dict(ast.iter_fields(node)) | {"annotation": Unquoter().visit(node.annotation)}
            return self.generic_visit(ast.AnnAssign(**fields))
        return self.visit(ast.Assign([node.target], node.value)) if node.value else []

    def visit_Import(self, node: Import) -> list[ast.stmt]:
        """Leave out imports; where one is not all that binds its name, it is an assignment like the others."""
        resolved = self._scopes[-1].imports if self._scopes else {}
        statements = []
        for (name, target), alias in zip(import_targets(node), node.names, strict=True):
            if name not in resolved:
                targets = [target]
                if isinstance(node, ast.Import) and not alias.asname and "." in alias.name:
                    targets.append(Target(0, target.path, tuple(alias.name.split(".")[1:])))
                values = [self._written(self.sources.resolve(self.module, each)) for each in targets]
                statements.append(ast.Assign([self.visit(ast.Name(name, ast.Store()))], ast.Tuple(values)))
        return statements

    visit_ImportFrom = visit_Import

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.Call:
        """Write an f-string as a call: how it is quoted depends on the version of Python."""
        return ast.Call(ast.Name("f''"), self.copied(node.values), [])

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.Call:
        """Write what stands in the braces of an f-string."""
        parts = [node.value, ast.Constant(node.conversion), node.format_spec or ast.Constant(None)]
        return ast.Call(ast.Name("{}"), self.copied(parts), [])

    # --- Scopes.

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        """Copy a function; decorators and default values belong to the scope around it."""
        fields = dict(ast.iter_fields(node)) | {"returns": None}
        fields |= {name: self.copied(fields[name]) for name in ("decorator_list", "args")}
        generic = [parameter.name for parameter in fields.get("type_params", ())]
        self._scopes.append(Scope.of(node.body, [*_parameters(node.args), *generic]))
        fields["body"] = self.copied(node.body) or [ast.Pass()]
        self._scopes.pop()
        return type(node)(**fields | ({"type_params": []} if generic else {}))

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """Copy a lambda; default values belong to the scope around it."""
        arguments = self.visit(node.args)
        self._scopes.append(Scope.of([node.body], _parameters(node.args)))
        body = self.visit(node.body)
        self._scopes.pop()
        return ast.Lambda(arguments, body)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """Copy a class; functions in it do not see the names of its body."""
        fields = {name: self.copied(value) for name, value in ast.iter_fields(node) if name != "body"}
        self._scopes.append(Scope.of(node.body, is_class=True))
        fields["body"] = self.copied(node.body) or [ast.Pass()]
        self._scopes.pop()
        return ast.ClassDef(**fields)

    def visit_ListComp(self, node: ast.AST) -> ast.AST:
        """Copy a comprehension; what it first goes over belongs to the scope around it."""
        fields = dict(ast.iter_fields(node))
        generators = fields.pop("generators")
        first = self.visit(generators[0].iter)
        targets = [target for generator in generators for target in ast.walk(generator.target)]
        self._scopes.append(Scope.of([target for target in targets if isinstance(target, ast.Name)]))
        copies = [
            ast.comprehension(self.visit(each.target), self.visit(each.iter) if position else first, *rest)
            for position, each in enumerate(generators)
            for rest in [(self.copied(each.ifs), each.is_async)]
        ]
        copy = type(node)(**{name: self.copied(value) for name, value in fields.items()}, generators=copies)
        self._scopes.pop()
        return copy

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp

    # --- References.

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Write a name as what it means; one that is assigned is the scope's, if it is not declared global."""
        assigned = not isinstance(node.ctx, ast.Load)
        if assigned and not any(node.id in scope.declared_global for scope in self._scopes):
            return ast.Name(node.id)
        return self._name(node.id, ())

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Write a name and its attributes as what they mean together."""
        attributes, base = [], node
        while isinstance(base, ast.Attribute):
            attributes.append(base.attr)
            base = base.value
        return self._name(base.id, attributes[::-1]) if isinstance(base, ast.Name) else self.generic_visit(node)

    def _name(self, name: str, attributes: Sequence[str]) -> ast.expr:
        """Write what a name and its attributes mean in the scope that is being copied."""
        prefix = ""
        for scope in reversed(self._scopes):
            if scope.is_class and scope is not self._scopes[-1]:
                continue
            if name in scope.declared_global:
                break
            if name in scope.imports:
                target = scope.imports[name]
                return self._written(self.sources.resolve(self.module, target, attributes), prefix)
            if name in scope.names:
                if not scope.is_class:
                    return _chain(name, attributes)
                prefix = name  # not bound before the body comes to its assignment: what the name means outside
        if name in self.module.names:
            return self._written(self.sources.follow(self.module, [name, *attributes]), prefix)
        return _chain(name + self._unbound(name), attributes)

    def _unbound(self, name: str) -> str:
        """Note what a name can mean that neither a scope nor the module binds: a builtin, or one of a star import."""
        if name in REFLECTION:
            self.label((self.module, WHOLE))
        signs = []
        for star in self.module.stars:
            key, dotted = self.sources.resolve(self.module, star)
            if not key:
                signs.append(f"!{'.'.join(dotted)}")
            elif not hasattr(builtins, name) or self.sources.binds(key[0], name):
                signs.append(self.label(key))
        return "".join(signs)

    def _written(self, reference: "Reference", prefix: str = "") -> ast.expr:
        key, attributes = reference
        if key:
            return _chain(prefix + self.label(key), attributes)
        if attributes[:2] == ("sys", "modules"):  # the way of a module to itself
            self.label((self.module, WHOLE))
        return _chain(f"{prefix}!{attributes[0]}", attributes[1:])


def _parameters(arguments: ast.arguments) -> list[str]:
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [parameter.arg for parameter in listed if parameter]


def _chain(name: str, attributes: Iterable[str]) -> ast.expr:
    expression: ast.expr = ast.Name(name)
    for attribute in attributes:
        expression = ast.Attribute(expression, attribute)
    return expression
