"""The structure of the package: rooms that import downwards, small modules, and the map of it in CONTRIBUTING.md."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "ablation"
# From the top: a module imports from its own room and from those after it.
ROOMS = (
    "cli",
    "report",
    "tracking",
    "analysis",
    "jobs",
    "training",
    "records",
    "study",
    "networks",
    "data",
    "catalogue",
    "statistics",
    "support",
)
WITHOUT_TORCH = {"study", "catalogue", "statistics", "support"}
TORCH = {"torch", "torchvision"}
LINES, FUNCTION_LINES = 350, 60

MODULES = {path.relative_to(PACKAGE): path for path in sorted(PACKAGE.rglob("*.py"))}
RULES = ROOT / "workflow" / "rules"


def parsed(place):
    return ast.parse(MODULES[place].read_text(encoding="utf-8"))


def imported(tree):
    """The dotted names that imports anywhere in a module name: also in functions and for type checkers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: found a relative import, expected its dotted name"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def room_of(dotted):
    """The room that a dotted name of the package is in; None for a library."""
    package, *path = dotted.split(".")
    return path[0] if package == "ablation" and path else None


def functions(text):
    """The name and length of every function of a source text, its decorators included."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield node.name, node.end_lineno - first + 1


def python_of(rules):
    """The top-level functions of a file of rules, as Python: what lies between them is Snakemake's."""
    blocks = re.findall(r"^(?:@.*\n)*def .*\n(?:(?:[ )\]].*)?\n)*", rules, re.MULTILINE)
    return "\n".join(blocks)


def test_every_package_folder_is_a_room():
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ROOMS)


def test_imports_go_downwards():
    rooms, upwards = [*ROOMS, None], {}
    for place in MODULES:
        here = rooms.index(place.parts[0]) if len(place.parts) > 1 else 0
        upwards[str(place)] = [name for name in imported(parsed(place)) if room_of(name) in rooms[:here]]
    assert {place: names for place, names in upwards.items() if names} == {}


def test_networks_name_their_families_in_references_only():
    networks = [place for place in MODULES if place.parts[0] == "networks"]
    found = {name for place in networks for name in imported(parsed(place))}
    assert {name for name in found if name.startswith("ablation.networks.families")} == set()


def test_libraries_stay_in_their_rooms():
    found = {
        (place.parts[0], name.partition(".")[0], str(place)) for place in MODULES for name in imported(parsed(place))
    }
    assert [place for room, library, place in found if library == "mlflow" and room != "tracking"] == []
    assert [place for room, library, place in found if library in TORCH and room in WITHOUT_TORCH] == []


def test_the_init_file_of_a_room_holds_a_docstring_only():
    trees = {str(place): parsed(place) for place in MODULES if place.name == "__init__.py" and place.parent.name}
    assert [place for place, tree in trees.items() if not ast.get_docstring(tree) or len(tree.body) > 1] == []


def test_modules_and_functions_are_short():
    texts = {str(place): path.read_text(encoding="utf-8") for place, path in MODULES.items()}
    long_functions = [
        (place, name, length)
        for place, text in texts.items()
        for name, length in functions(text)
        if length > FUNCTION_LINES
    ]
    assert [place for place, text in texts.items() if len(text.splitlines()) > LINES] == []
    assert long_functions == []


@pytest.mark.parametrize("path", sorted(RULES.glob("*.smk")), ids=lambda path: path.name)
def test_files_of_rules_and_their_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    found = dict(functions(python_of(text)))
    assert set(found) >= set(re.findall(r"^def (\w+)", text, re.MULTILINE)), "not every function was measured"
    assert len(text.splitlines()) <= LINES
    assert [(name, length) for name, length in found.items() if length > FUNCTION_LINES] == []


def test_the_map_names_the_rooms_from_the_top():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("## The map of rooms\n")[2].partition("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == ROOMS


def test_the_map_names_every_module():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("## The map of rooms\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|", section, re.MULTILINE))
    for room in set(ROOMS) - {"cli"}:  # a verb each, which `cli/entry` lists
        modules = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
        assert modules <= set(re.findall(r"`(\w+)`", rows[room])), room


def test_the_map_names_modules_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("## The map of rooms\n")[2].partition("\n## ")[0]
    for room, modules in re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|", section, re.MULTILINE):
        for module in re.findall(r"`([\w/]+)`", modules):
            path = PACKAGE / room / module
            assert path.with_suffix(".py").is_file() or path.is_dir(), f"{room}: found no module {module!r}"
    paths = re.findall(r"`((?:src|tests|workflow|docs|benchmarks)/[\w/.]+)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
