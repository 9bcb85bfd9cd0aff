"""References to code in plain data: ``module:name``, or ``path/to/file.py:name`` for a file of one's own."""

import ast
import os
import pkgutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from ablation.support.digests import digest
from ablation.support.wording import UserError

FOLDERS: set[Path] = set()  # of the files of one's own that were imported


class OwnCodeError(UserError):
    """Code that a reference names and that cannot be used; the message says where, with the line if it is known, and why."""


def resolve(reference: str) -> Any:
    """Import what a reference names.

    Parameters
    ----------
    reference : str
        ``torch.nn:ReLU``, or ``studies/my_parts.py:Mixer``, relative to the working directory.

    Raises
    ------
    OwnCodeError
        If a file of one's own is missing, fails when it is imported, or has nothing of that name.
    """
    place, _, name = reference.rpartition(":")
    if not is_own(reference):
        try:
            return pkgutil.resolve_name(reference)
        except (ImportError, AttributeError, ValueError) as error:
            raise OwnCodeError(f"{reference}: there is no such code: {error}") from error
    module = import_file(Path(place).resolve())
    try:
        return getattr(module, name)
    except AttributeError:
        raise OwnCodeError(f"{place}: found nothing named {name!r}, expected it at the top level") from None


def is_own(reference: str) -> bool:
    """Say whether a reference names a file of one's own."""
    return reference.rpartition(":")[0].endswith(".py")


@contextmanager
def own_code(reference: str, what: str) -> Iterator[None]:
    """Let what fails in code of one's own be said in a sentence, as `what` says what was being done; ours fails as it is."""
    try:
        yield
    except Exception as error:
        if not is_own(reference) or isinstance(error, OwnCodeError):
            raise
        raise OwnCodeError(explain(error, Path(reference.rpartition(":")[0]).resolve(), what)) from error


@cache
def import_file(path: Path) -> ModuleType:
    """Import a file of one's own; modules that lie beside it can be imported from it.

    Raises
    ------
    OwnCodeError
        If it cannot be imported.
    """
    FOLDERS.add(path.parent)
    # After everything else: a file beside the parts must not take the place of an installed module.
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    # Named by its path, so that two files of the same name in different folders are two modules.
    name = f"parts_{path.stem}_{digest(str(path))[:8]}"
    spec = spec_from_file_location(name, path)
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look for their module there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise OwnCodeError(explain(error, path, "it cannot be imported")) from error
    check_neighbours(path)
    return module


def check_neighbours(path: Path) -> None:
    """Refuse an import that found another module than that beside the file: what runs would not be what a key counts.

    Raises
    ------
    OwnCodeError
        If a module of that name comes from elsewhere, such as the working directory.
    """
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
        for name in {name.split(".")[0] for name in names}:
            beside = [path.with_name(f"{name}.py"), path.with_name(name) / "__init__.py"]
            file = getattr(sys.modules.get(name), "__file__", None)
            if file and any(place.is_file() for place in beside) and Path(file).resolve() not in beside:
                raise OwnCodeError(
                    f"{path}, line {node.lineno}: {name} was imported from {file}: rename the one beside it"
                )


def explain(error: BaseException, path: Path, what: str) -> str:
    """Say in a line where in a file of one's own an error came from: file, line, what failed and the error itself."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {what}: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    where = f"{path}, line {frames[-1].lineno}" if frames else str(path)
    return f"{where}: {what}: {type(error).__name__}: {error}"


def own_place(error: BaseException) -> str:
    """Return file and line of the last call in files of one's own that an error went through; empty if there was none.

    Modules count that lie beside a file of parts.
    """
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    for each in reversed(chain):
        if isinstance(each, SyntaxError) and each.filename and Path(each.filename).parent in FOLDERS:
            return f"{_shown(each.filename)}, line {each.lineno}"
        frames = traceback.extract_tb(each.__traceback__)
        own = [frame for frame in frames if Path(frame.filename).parent in FOLDERS]
        if own:
            return f"{_shown(own[-1].filename)}, line {own[-1].lineno}"
    return ""


def _shown(file: str) -> str:
    """Return a path relative to the working directory if it lies below."""
    return os.path.relpath(file) if Path(file).is_relative_to(Path.cwd()) else file
