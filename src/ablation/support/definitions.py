"""A digest of the definitions that a piece of code can reach.

A definition is a function, class or constant of a module's top level. It uses every other definition that it names, of
this package or of a user's file; libraries count by name. Where a definition stands and how it is imported counts
nothing, and neither do comments, docstrings, layout and annotations that no code reads.
"""

import ast
import importlib.util
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

from ablation.support.bindings import Module, Target
from ablation.support.digests import digest
from ablation.support.keptdigests import KeptDigests
from ablation.support.normaliser import OTHERS, WHOLE, Normaliser
from ablation.support.references import OwnCodeError

PACKAGE = "ablation"
ROOT = re.compile(r"(?P<module>.+):(?P<name>[\w.]+)")

Key = tuple[Module, str]
Node = TypeVar("Node")


class Reference(NamedTuple):
    """What a name with attributes means: attributes of a definition, or without a key a dotted name of a library."""

    key: Key | None
    attributes: tuple[str, ...]


class Sources:
    """The source that digests are taken of: the package's and the user's.

    A file is read once, so that what is edited later needs another `Sources`.

    Parameters
    ----------
    package : Path, optional
        Folder of a package; without it that of ``ablation``.
    files : iterable of Path
        Python files of the user. Modules that lie beside them are followed, too.
    by_name : iterable of str
        Modules of which only the names of definitions count, as of a library.
    """

    def __init__(self, package: Path | None = None, files: Iterable[Path] = (), by_name: Iterable[str] = ()):
        self._by_name = frozenset(by_name)
        self._package = _absolute(package or Path(importlib.util.find_spec(PACKAGE).origin).parent)
        self._modules: dict[Path, Module] = {}
        self._places: dict[Path, Module | None] = {}
        self._nodes: dict[Key, tuple[str, dict[str, Key]]] = {}
        self._hashes: dict[Key, str] = {}
        self._digests: dict[frozenset[str], str] = {}
        self._files = [self._user_file(Path(file)) for file in files]

    def digest(self, roots: Iterable[str]) -> str:
        """Digest all that roots can reach.

        Parameters
        ----------
        roots : iterable of str
            ``module:name``, ``path/to/file.py:name``, or a name of a library, such as ``torch.nn:ReLU``. A method stands for
            its class.

        Returns
        -------
        str
            32 hexadecimal digits, whatever the order of the roots.

        Raises
        ------
        OwnCodeError
            If there is no such module or definition, or a module on the way cannot be read as Python.
        """
        asked = frozenset(roots)
        if asked not in self._digests:
            # A user's file may import any file beside it, whose changes nobody would see.
            of_the_package = not self._files and not any(".py:" in root for root in asked)
            known = self._kept.get(asked) if of_the_package else None
            self._digests[asked] = known or self._taken(asked)
            if of_the_package and not known:
                self._kept.keep(asked, self._digests[asked])
        return self._digests[asked]

    @cached_property
    def _kept(self) -> KeptDigests:
        return KeptDigests(self._package, sorted(self._by_name))

    def _taken(self, roots: Collection[str]) -> str:
        references = [self._root(root) for root in roots]
        self._hash({reference.key for reference in references} - {None})
        return digest(sorted({self._hashes[key] if key else ".".join(names) for key, names in references}))

    def check(self, root: str) -> None:
        """Raise OwnCodeError if a root names a module or definition that is not there; those of libraries are not known."""
        self._root(root)

    def reached(self, roots: Iterable[str]) -> frozenset[tuple[str, str]]:
        """List the definitions that roots can reach, themselves among them.

        Parameters
        ----------
        roots : iterable of str
            As for `digest`.

        Returns
        -------
        frozenset of (str, str)
            Dotted name of the module, or absolute path of the user's file, and name of the definition; statements that
            define nothing are ``<module>``.
        """
        keys = {self._root(root).key for root in roots} - {None}
        reached = [key for component in components(keys, self._uses) for key in component]
        return frozenset((module.name, name) for module, name in reached if name != WHOLE)

    def resolve(
        self, module: Module, target: Target, attributes: Sequence[str] = (), seen: frozenset = frozenset()
    ) -> Reference:
        """Return the `Reference` that attributes of an import's target are, where ``module`` imports it."""
        path, found = target.path, None
        if target.level:
            found = self._at(Path(module.path, *[".."] * target.level), module.folder)
        elif path[0] == self._package.name:
            found, path = self._at(self._package, None), path[1:]
        elif module.folder:
            found, path = self._at(module.folder / path[0], module.folder), path[1:]
        if not found:
            return Reference(None, (*target.path, *target.attributes, *attributes))
        attributes = (*target.attributes, *attributes)
        for position, name in enumerate(path):
            below = self._below(found, name)
            if not below:
                return Reference((found, WHOLE), (*path[position:], *attributes))
            found = below
        return self.follow(found, attributes, seen)

    def follow(self, module: Module, attributes: Sequence[str], seen: frozenset = frozenset()) -> Reference:
        """Return the reference that attributes of a module are; of the whole module where they are unknown."""
        if not attributes:
            return Reference((module, WHOLE), ())
        name, *rest = attributes
        if name in module.definitions:
            return Reference((module, name), tuple(rest))
        if name in module.imports and (module, name) not in seen:
            return self.resolve(module, module.imports[name], rest, seen | {(module, name)})
        if name in module.block_names:
            return Reference((module, OTHERS), tuple(attributes))
        below = self._below(module, name)
        return self.follow(below, rest, seen) if below else Reference((module, WHOLE), tuple(attributes))

    def binds(self, module: Module, name: str, seen: frozenset = frozenset()) -> bool:
        """Say whether a module has, or can have by a star import, a name."""
        stars = [self.resolve(module, star).key for star in module.stars if module not in seen]
        return name in module.names or any(not key or self.binds(key[0], name, seen | {module}) for key in stars)

    def _root(self, root: str) -> Reference:
        parts = ROOT.fullmatch(root)
        if not parts:
            raise OwnCodeError(f"{root!r}: found no root, expected module:name or file.py:name")
        module, names = self._root_module(root, parts["module"]), tuple(parts["name"].split("."))
        if not module:
            return Reference(None, (*parts["module"].split("."), *names))
        if not self.binds(module, names[0]):
            known = ", ".join(sorted(module.definitions))
            raise OwnCodeError(f"{root}: {module.path} does not define {names[0]!r}, expected one of {known}")
        return self.follow(module, names)

    def _root_module(self, root: str, name: str) -> Module | None:
        """Return the module of a root; None for one of a library."""
        if name.endswith(".py"):
            return self._user_file(Path(name))
        first, *rest = name.split(".")
        places = [(self._package, None)] if first == self._package.name else []
        places += [(file.folder / first, file.folder) for file in self._files if file.folder]
        module = next(filter(None, (self._at(place, folder) for place, folder in places)), None)
        for part in rest if module else ():
            module = self._below(module, part)
            if not module:
                raise OwnCodeError(f"{root}: found no module {name}, expected one of {self._package} or a user's file")
        return module

    def _user_file(self, path: Path) -> Module:
        if not path.is_file():
            raise OwnCodeError(f"{path}: found no file, expected one with Python definitions")
        return self._module(_absolute(path), _absolute(path).parent)

    def _at(self, place: Path, folder: Path | None) -> Module | None:
        """Return the module at a place: a package, a file, or a folder of files without ``__init__.py``."""
        place = _absolute(place)
        if place not in self._places:
            candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
            path = next((path for path in candidates if path.is_file()), None)
            if not path and place.is_dir() and any(place.glob("*.py")):
                path = candidates[0]
            self._places[place] = self._module(path, folder) if path else None
        return self._places[place]

    def _below(self, module: Module, name: str) -> Module | None:
        return self._at(module.path.parent / name, module.folder) if module.path.name == "__init__.py" else None

    def _module(self, path: Path, folder: Path | None) -> Module:
        if path not in self._modules:
            name = str(path)
            if path.is_relative_to(self._package):
                parts = path.relative_to(self._package.parent).with_suffix("").parts
                name, folder = ".".join(parts[:-1] if parts[-1] == "__init__" else parts), None
            module = Module(name, path, folder)
            try:
                module.read(path.read_bytes() if path.exists() else b"")
            except SyntaxError as error:
                line = f", line {error.lineno}" if error.lineno else ""
                raise OwnCodeError(f"{path}{line}: cannot be read: {error.msg}") from None
            except (OSError, ValueError, RecursionError) as error:
                raise OwnCodeError(f"{path}: cannot be read: {error}") from None
            self._modules[path] = module
        return self._modules[path]

    def _node(self, key: Key) -> tuple[str, dict[str, Key]]:
        """Return the text of a definition, and by the names in it the definitions that it uses."""
        if key not in self._nodes:
            module, name = key
            if module.name in self._by_name:
                return digest(name), {}
            normaliser = Normaliser(self, module)
            if name == WHOLE:
                parts = [normaliser.whole()]
            elif name == OTHERS:
                parts = normaliser.copied(module.others)
            else:
                parts = normaliser.copied(module.definitions[name])
            if module.others and name != OTHERS:
                normaliser.label((module, OTHERS))
            text = [ast.unparse(ast.fix_missing_locations(part)) for part in parts]
            self._nodes[key] = digest(text), {label: used for used, label in normaliser.labels.items()}
        return self._nodes[key]

    def _uses(self, key: Key) -> Collection[Key]:
        return self._node(key)[1].values()

    def _hash(self, keys: Iterable[Key]) -> None:
        """Hash definitions: their text, and the hashes of those that they use."""
        new = [key for key in keys if key not in self._hashes]
        for component in components(new, lambda key: [used for used in self._uses(key) if used not in self._hashes]):
            self._hashes |= dict.fromkeys(component, "")
            # Definitions that use each other in a circle have no first one. Each round sees one step further, and
            # those that differ anywhere differ within twice as many steps as there are definitions.
            for _ in range(2 * len(component) if len(component) > 1 else 1):
                self._hashes |= {key: self._hash_once(key) for key in component}

    def _hash_once(self, key: Key) -> str:
        text, uses = self._node(key)
        return digest([text, sorted((label, self._hashes[used]) for label, used in uses.items())])


def components(roots: Iterable[Node], successors: Callable[[Node], Iterable[Node]]) -> list[list[Node]]:
    """List the strongly connected components of a graph, each after those that it leads to (Tarjan 1972).

    Parameters
    ----------
    roots : iterable
        Where to start; only what can be reached counts.
    successors : callable
        What a node leads to.

    Returns
    -------
    list of list
    """
    order: dict[Node, int] = {}
    lowest: dict[Node, int] = {}
    open_nodes: list[Node] = []
    is_open: set[Node] = set()
    found: list[list[Node]] = []
    path: list[tuple[Node, Iterator[Node]]] = []

    def enter(node: Node) -> None:
        order[node] = lowest[node] = len(order)
        open_nodes.append(node)
        is_open.add(node)
        path.append((node, iter(successors(node))))

    for root in roots:
        if root not in order:
            enter(root)
        while path:  # rather than recursion: a chain of definitions can be longer than the stack
            node, pending = path[-1]
            following = next(pending, None)
            if following is None:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[node])
                if lowest[node] == order[node]:
                    found.append([open_nodes.pop()])
                    while found[-1][-1] != node:
                        found[-1].append(open_nodes.pop())
                    is_open.difference_update(found[-1])
            elif following not in order:
                enter(following)
            elif following in is_open:
                lowest[node] = min(lowest[node], order[following])
    return found


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))
