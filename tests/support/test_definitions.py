import subprocess
import sys
from textwrap import dedent

import pytest

from ablation.support.definitions import Sources, components
from ablation.support.references import OwnCodeError

LAB = {
    "__init__.py": "",
    "main.py": '''
        """Training."""

        import numpy as np
        import lab.joins
        from lab import norms
        from lab.kit import Kit as Choice
        from lab.optimisers import make_sgd
        from torch import nn

        RATE = 0.1
        LIMIT: float = 2.0
        HIGH, LOW = 9, 0
        UNUSED = 1


        def scale(x: float, factor=RATE) -> float:
            """Scale."""
            total: float = x * factor  # the product
            return total


        @nn.once
        def train(kit: Choice, images: list) -> list:
            """Train."""

            def clip(x: float) -> float:
                """Clip."""
                return min(max(x, LOW), LIMIT)

            make_sgd()
            network = nn.Conv2d(3, Choice().width, 3)
            return clip(scale(np.sum(images))) + lab.joins.add(network, norms.batch_norm)


        def unused():
            return UNUSED
        ''',
    "joins.py": """
        class Base:
            zero = 0

        class Join(Base):
            def __call__(self, a, b):
                return even(a) + b

        def add(a, b):
            return Join()(a, b)

        def even(n):
            return n == 0 or odd(n - 1)

        def odd(n):
            return n != 0 and even(n - 1)

        def unused():
            return 1
        """,
    "norms.py": """
        import settings

        settings.options["benchmark"] = False

        def batch_norm(x):
            return x
        """,
    "kit.py": '''
        from dataclasses import dataclass

        @dataclass
        class Kit:
            """The kit."""

            width: int = 8
        ''',
    "optimisers.py": """
        def make_sgd():
            return 1

        def make_adam():
            return MOMENTUM

        MOMENTUM = 0.9
        """,
}
LAB = {name: dedent(text) for name, text in LAB.items()}
ROOTS = ("lab.main:train", "lab.optimisers:make_adam")


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))
    return folder


def lab_digest(folder, files, roots=ROOTS):
    return Sources(write(folder / "lab", files)).digest(roots)


def edited(edits, files=LAB):
    files = dict(files)
    for name, old, new in edits:
        assert old in files[name]
        files[name] = files[name].replace(old, new)
    return files


SAME = {
    "comment": [("main.py", "# the product", "# x by factor")],
    "docstring of a module": [("main.py", '"""Training."""', "")],
    "docstring of a function": [("main.py", '"""Scale."""', '"""Multiply."""')],
    "docstring of a nested function": [("main.py", '"""Clip."""', "")],
    "docstring of a class": [("kit.py", '"""The kit."""', "")],
    "layout": [("main.py", "scale(x: float, factor=RATE)", "scale(\n    x: float,\n    factor = (RATE),\n)")],
    "annotation of a parameter": [("main.py", "kit: Choice", "kit")],
    "annotation of a nested parameter": [("main.py", "clip(x: float) -> float", "clip(x: int)")],
    "annotation of a result": [("main.py", "-> list", "-> tuple")],
    "annotation of a local variable": [("main.py", "total: float", "total")],
    "annotation of a constant": [("main.py", "LIMIT: float", "LIMIT: int")],
    "alias of a library": [("main.py", "import numpy as np", "import numpy"), ("main.py", "np.sum", "numpy.sum")],
    "import of a library's name": [("main.py", "import nn", "import nn as layers"), ("main.py", "nn.", "layers.")],
    "alias of a definition": [("main.py", "Kit as Choice", "Kit"), ("main.py", "Choice", "Kit")],
    "import of a name": [
        ("main.py", "from lab import norms", "from lab.norms import batch_norm"),
        ("main.py", "norms.batch_norm)", "batch_norm)"),
    ],
    "relative import": [("main.py", "from lab import norms", "from . import norms")],
    "import inside the function": [
        ("main.py", "import lab.joins\n", "\n"),
        ("main.py", "network = nn", "import lab.joins\n    network = nn"),
    ],
    "unreached constant": [("main.py", "UNUSED = 1", "UNUSED = 2")],
    "unreached function": [("main.py", "return UNUSED", "return -UNUSED")],
    "unreached function of another module": [("joins.py", "return 1", "return 2")],
    "__all__": [("main.py", "RATE = 0.1", '__all__ = ["train"]\n__all__ += ["scale"]\nRATE = 0.1')],
    "import for type checkers": [("main.py", "RATE = 0.1", "if TYPE_CHECKING:\n    from lab import other\nRATE = 0.1")],
    "future": [("main.py", "import numpy", "from __future__ import annotations\nimport numpy")],
}
DIFFERENT = {
    "default value": [("main.py", "factor=RATE", "factor=2 * RATE")],
    "constant of a default value": [("main.py", "RATE = 0.1", "RATE = 0.2")],
    "constant": [("main.py", "LIMIT: float = 2.0", "LIMIT: float = 3.0")],
    "constants of one statement": [("main.py", "HIGH, LOW = 9, 0", "HIGH, LOW = 9, 1")],
    "constant assigned again": [("main.py", "UNUSED = 1", "LIMIT = 3.0")],
    "decorator": [("main.py", "@nn.once", "@nn.twice")],
    "nested function": [("main.py", "return min(", "return max(")],
    "body": [("main.py", "nn.Conv2d(3", "nn.Conv2d(4")],
    "name of a library": [("main.py", "np.sum", "np.mean")],
    "library": [("main.py", "import numpy as np", "import cupy as np")],
    "function of another module": [("joins.py", "return Join()(a, b)", "return Join()(b, a)")],
    "base class": [("joins.py", "zero = 0", "zero = 1")],
    "circle, near": [("joins.py", "n == 0", "n == 2")],
    "circle, far": [("joins.py", "n != 0", "n != 2")],
    "field of a dataclass": [("kit.py", "width: int = 8", "width: int = 9")],
    "annotation of a field": [("kit.py", "width: int", "width: float")],
    "decorator of a dataclass": [("kit.py", "@dataclass", "@dataclass(frozen=True)")],
    "other statement of a module": [("norms.py", "= False", "= True")],
    "library of another statement": [("norms.py", "import settings", "import options as settings")],
    "other statement that is added": [("joins.py", "def unused", "print(1)\n\ndef unused")],
    "constant of another root": [("optimisers.py", "MOMENTUM = 0.9", "MOMENTUM = 0.8")],
    "which definition": [("main.py", "clip(scale(", "scale(clip(")],
}


@pytest.mark.parametrize("edits", SAME.values(), ids=SAME)
def test_what_counts_nothing(edits, tmp_path):
    assert lab_digest(tmp_path / "after", edited(edits)) == lab_digest(tmp_path / "before", LAB)


@pytest.mark.parametrize("edits", DIFFERENT.values(), ids=DIFFERENT)
def test_what_counts(edits, tmp_path):
    assert lab_digest(tmp_path / "after", edited(edits)) != lab_digest(tmp_path / "before", LAB)


def test_where_definitions_stand_counts_nothing(tmp_path):
    joins = dict(LAB)
    joins["parts/joining.py"] = joins.pop("joins.py")
    joins["parts/__init__.py"] = ""
    renamed = edited([("main.py", "lab.joins", "lab.parts.joining")], joins)
    moved = edited([("main.py", "lab.joins", "lab.kit")])
    moved["kit.py"] = moved["kit.py"] + moved.pop("joins.py")
    expected = lab_digest(tmp_path / "before", LAB)
    assert lab_digest(tmp_path / "renamed", renamed) == expected
    assert lab_digest(tmp_path / "moved", moved) == expected


# What `train` reaches of these, when main.py says so.
PARTS = {
    "__init__.py": "from lab.parts import f as exported\n",
    "parts.py": "def f():\n    pass\n\n\ndef g():\n    pass\n",
    "more.py": "from lab.parts import *\n\n\ndef h():\n    pass\n",
    "typed.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from lab.parts import f\n",
}
REACHED = [
    # Ways to import
    ("from lab.parts import f\ndef train(): return f()", "f"),
    ("from .parts import f as other\ndef train(): return other()", "f"),
    ("from lab import parts as p\ndef train(): return p.f.__name__", "f"),
    ("import lab.parts as p\ndef train(): return p.g()", "g"),
    ("import lab.parts\ndef train(): return lab.parts.g()", "g"),
    ("import lab\ndef train(): return lab.exported", "f"),
    ("from lab import exported as other\ndef train(): return other", "f"),
    ("def train():\n    from lab.parts import f\n    return f()", "f"),
    ("def train():\n    import lab.parts as p\n    def inner(): return p.f\n    return inner()", "f"),
    (
        "def train(x):\n    if x: from lab.parts import f as z\n    else: from lab.parts import g as z\n    return z",
        "fg",
    ),
    ("try:\n    from lab.parts import f\nexcept ImportError:\n    f = None\ndef train(): return f", "f"),
    ("from lab.parts import f as z\nz = [z]\ndef train(): return z", "f"),
    ("from lab.typed import TYPE_CHECKING\ndef train(): return TYPE_CHECKING", ""),
    # Scopes: a parameter or variable is no reference
    ("from lab.parts import f, g\ndef train(f): return f() + g()", "g"),
    ("from lab.parts import f\ndef train(*f, **g): return f", ""),
    ("from lab.parts import f\ndef train():\n    f = 1\n    def inner(): return f\n    return inner", ""),
    ("from lab.parts import f\ndef train():\n    def inner():\n        f = 1\n    return f", "f"),
    ("from lab.parts import f\ndef train(f=f): return f", "f"),
    ("from lab.parts import f\ndef train(): return lambda f: f", ""),
    ("from lab.parts import f\ndef train(): return lambda x=lambda f: 1: f", "f"),
    ("from lab.parts import f\ndef train(y): return [f for f in y]", ""),
    ("from lab.parts import f\ndef train(y): return [f for f in f]", "f"),
    ("from lab.parts import f, g\ndef train(y): return {f: z for f in y for z in g()}", "g"),
    ("from lab.parts import f\ndef train(y): return [f for y in y], f", "f"),
    ("from lab.parts import f\ndef train(y): return [(f := z) for z in y], f", ""),
    ("from lab.parts import f\ndef train(y):\n    for f in y: pass\n    return f", ""),
    ("from lab.parts import f\ndef train(y):\n    with y as f: return f", ""),
    ("from lab.parts import f\ndef train():\n    try: pass\n    except OSError as f: return f", ""),
    ("from lab.parts import f\ndef train(y):\n    match y:\n        case {'a': f}: return f", ""),
    ("from lab.parts import f\ndef train(y):\n    match y:\n        case f(x=1): return 1", "f"),
    ("from lab.parts import f\ndef train():\n    global f\n    f = 1", "f"),
    ("from lab.parts import f\ndef train():\n    global f\n    import other as f", "f"),
    ("from lab.parts import f\ndef train(f):\n    def inner():\n        nonlocal f\n        f = f()\n    inner()", ""),
    ("from lab.parts import f\ndef train():\n    f: int\n    return f", ""),
    ("from lab.parts import f\nclass train:\n    f = 1\n    def method(self): return f", "f"),
    ("from lab.parts import f\nclass train:\n    f = f", "f"),
    ("from lab.parts import f\nclass train:\n    def f(self): return self.f()", ""),
    ("from lab.parts import f\nclass train:\n    Inner = object\n    class Deep(Inner):\n        x = f", "f"),
    ("from lab.parts import f\ndef train(x: f) -> f:\n    y: f = 1", ""),
    ("from lab.parts import f, g\nclass train:\n    x: 'list[f]'\n    y: Literal['g'] = 1", "f"),
    ("from lab.parts import f\ndef train(y): return f'{y:{f}}'", "f"),
    ("from lab.parts import f\ndef train(y): return y.f", ""),
    # Fallback to a whole module
    ("from lab import parts\ndef train(name): return getattr(parts, name)", "fg"),
    ("from lab import parts\ndef train(): return parts.missing", "fg"),
    ("from lab.parts import *\ndef train(): return f()", "fg"),
    ("from lab.parts import *\ndef train(): return len([])", ""),
    ("from lab.more import *\ndef train(): return f()", "fgh"),
    ("from lab import more\ndef train(): return more.f()", "fgh"),
    ("from lab.parts import f, g\ndef train(name): return globals()[name]", "fg"),
    ("import sys\nfrom lab.parts import f\ndef train(name): return getattr(sys.modules[__name__], name)", "f"),
    ("from lab.parts import f\ndef train(network): return network.eval()", ""),
    # Statements that define nothing
    ("from lab.parts import f\nfor i in range(3):\n    f()\ndef train(): pass", "f"),
    ("from lab.parts import f, g\nif g:\n    def train(): return f", "fg"),
    ("TABLE = {}\nfrom lab.parts import f\nTABLE['f'] = f\ndef train(): pass", "f"),
    ("from lab.parts import f\nTABLE: 'dict[str, object]' = {'f': f}\ndef train(): return TABLE", "f"),
]


@pytest.mark.parametrize(("main", "names"), REACHED, ids=[main for main, _ in REACHED])
def test_names_are_resolved_by_the_rules_of_python(main, names, tmp_path):
    compile(main, "main.py", "exec")
    sources = Sources(write(tmp_path / "lab", PARTS | {"main.py": main}))
    reached = {name for module, name in sources.reached(["lab.main:train"]) if module in ("lab.parts", "lab.more")}
    assert reached == set(names)
    assert len(sources.digest(["lab.main:train"])) == 32


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # The same names and the same hashes in another order
        (
            "from lab.parts import f\nfrom lab.more import f as g\ndef train(): return f() - g()",
            "from lab.more import f\nfrom lab.parts import f as g\ndef train(): return f() - g()",
        ),
        ("from lab.parts import f as x\ndef train(f): return x(f)", "from lab.parts import f\ndef train(x): return f(f)"),
        ("try: import a as m\nfinally: pass\ndef train(): m", "try: import b as m\nfinally: pass\ndef train(): m"),
        ("from a import f\nclass train:\n    f = f", "from b import f\nclass train:\n    f = f"),
        ("from a import *\ndef train(): return f", "from b import *\ndef train(): return f"),
        ("from a import f\nf = f(1)\ndef train(): f", "from b import f\nf = f(1)\ndef train(): f"),
        ("def train():\n    f = len\n    from a import f\n    f", "def train():\n    f = len\n    from b import f\n    f"),
    ],
)  # fmt: skip
def test_imports_that_matter_count(before, after, tmp_path):
    others = {"__init__.py": "", "parts.py": "def f(): return 1\n", "more.py": "def f(): return 2\n"}
    digests = [
        lab_digest(tmp_path / name, others | {"main.py": main}, ["lab.main:train"])
        for name, main in (("before", before), ("after", after))
    ]
    assert digests[0] != digests[1]


def test_circles_of_definitions_do_not_depend_on_where_they_are_entered(tmp_path):
    main = "def a(): return b() + 1\ndef b(): return c() + 2\ndef c(): return a() + 3\ndef free(): return a()"
    other = main.replace("return a() + 3", "return b() + 3")
    every = [f"lab.main:{name}" for name in ("a", "b", "c", "free")]
    digests = []
    for order in (every, every[::-1]):
        sources = Sources(write(tmp_path / "lab", {"main.py": main}))
        by_root = {root: sources.digest([root]) for root in order}
        digests.append([by_root[root] for root in every])
    assert digests[0] == digests[1]
    assert len(set(digests[0])) == 4
    rewired = Sources(write(tmp_path / "other/lab", {"main.py": other}))
    assert not {rewired.digest([root]) for root in every} & set(digests[0])


def test_re_exports_in_a_circle_end(tmp_path):
    files = {"__init__.py": "", "a.py": "from lab.b import f\nx = 1", "b.py": "from lab.a import f"}
    sources = Sources(write(tmp_path / "lab", files | {"main.py": "from lab.a import f\ndef train(): return f"}))
    assert ("lab.a", "x") in sources.reached(["lab.main:train"])
    assert sources.digest(["lab.main:train"]) == sources.digest(["lab.main:train"])


def test_a_module_that_is_named_like_a_function_in_it(tmp_path):
    files = {
        "__init__.py": "from . import norm as alias\nfrom .norm import norm",
        "norm.py": "def norm(): pass\ndef helper(): pass",
        "main.py": "from lab.norm import helper\nfrom lab import norm, alias\ndef train(): return helper() + norm()",
    }
    sources = Sources(write(tmp_path / "lab", files))
    assert sources.reached(["lab.main:train"]) == {("lab.main", "train"), ("lab.norm", "helper"), ("lab.norm", "norm")}


def test_the_order_of_roots_and_duplicates_do_not_matter(tmp_path):
    sources = Sources(write(tmp_path / "lab", LAB))
    assert sources.digest(ROOTS) == sources.digest([*reversed(ROOTS), ROOTS[0]])
    assert sources.digest(ROOTS) != sources.digest(ROOTS[:1])


def test_roots(tmp_path):
    sources = Sources(write(tmp_path / "lab", LAB))
    assert sources.digest(["lab.joins:Join.__call__"]) == sources.digest(["lab.joins:Join"])
    assert sources.digest(["lab.main:Choice"]) == sources.digest(["lab.kit:Kit"])
    assert sources.digest(["torch.nn:ReLU"]) != sources.digest(["torch.nn:GELU"])
    assert sources.reached(["torch.nn:ReLU"]) == frozenset()
    assert sources.reached(["lab.optimisers:make_adam"]) == {
        ("lab.optimisers", "make_adam"),
        ("lab.optimisers", "MOMENTUM"),
    }


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("lab.main:trian", "'trian', expected one of .*train"),
        ("lab.mian:train", "found no module lab.mian"),
        ("lab.main:train[x]", "expected module:name"),
        ("lab.main", "expected module:name"),
        ("missing.py:train", "missing.py: found no file"),
    ],
)
def test_a_root_that_does_not_exist(root, message, tmp_path):
    with pytest.raises(OwnCodeError, match=message):
        Sources(write(tmp_path / "lab", LAB)).digest([root])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"def first(:\n", r"helper\.py, line 1: cannot be read: "),
        (b"x = 1\n\x00", r"helper\.py(, line \d+)?: cannot be read: "),
        (b"text = '\xff'\n", r"helper\.py(, line \d+)?: cannot be read: "),
        (b"x = " + b"(" * 5000 + b")" * 5000, r"helper\.py(, line \d+)?: cannot be read: "),
    ],
    ids=["no Python", "null bytes", "no UTF-8", "too deep"],
)
def test_a_module_beside_a_file_that_cannot_be_read_is_named_with_its_line(content, message, tmp_path):
    folder = write(tmp_path / "mine", {"my_parts.py": "import helper\ndef build(): return helper.first()"})
    (folder / "helper.py").write_bytes(content)
    with pytest.raises(OwnCodeError, match=message):
        Sources(files=[folder / "my_parts.py"]).digest([f"{folder}/my_parts.py:build"])


def test_files_of_the_user_and_modules_beside_them(tmp_path):
    package = write(tmp_path / "lab", LAB)
    folder = write(
        tmp_path / "mine",
        {
            "my_parts.py": """
                import helper, tools.cut as cutting
                from loose.norms import own
                from .helper import second
                from lab.norms import batch_norm
                import torch

                def build(): return helper.first() + second() + cutting.cut() + own() + batch_norm(torch.rand(1))
                """,
            "helper.py": "from third import deep\ndef first(): return deep()\ndef second(): pass\ndef unused(): pass",
            "third.py": "def deep(): pass",
            "tools/__init__.py": "",
            "tools/cut.py": "from . import knife\ndef cut(): return knife.edge",
            "tools/knife.py": "edge = 1",
            "loose/norms.py": "def own(): pass",
        },
    )
    file = folder / "my_parts.py"
    root = f"{file}:build"
    sources = Sources(package, [file])
    assert sources.reached([root]) == {
        *((str(folder / f"{module}.py"), name) for module, name in [
            ("my_parts", "build"), ("helper", "first"), ("helper", "second"), ("third", "deep"),
            ("tools/cut", "cut"), ("tools/knife", "edge"), ("loose/norms", "own"),
        ]),
        ("lab.norms", "batch_norm"), ("lab.norms", "<module>"),
    }  # fmt: skip
    assert sources.digest([root]) == sources.digest(["my_parts:build"]) == Sources(package).digest([root])
    before = sources.digest([root])
    (folder / "third.py").write_text("def deep(): return 1")
    assert Sources(package, [file]).digest([root]) != before


def test_a_user_file_is_the_same_in_another_folder(tmp_path):
    package = write(tmp_path / "lab", LAB)
    text = "from lab.joins import add\ndef build(): return add(1, 2)"
    here, there = (write(tmp_path / name, {"parts.py": text}) / "parts.py" for name in ("here", "there"))
    sources = Sources(package, [here, there])
    assert sources.digest([f"{here}:build"]) == sources.digest([f"{there}:build"])


def test_components_come_after_those_that_they_lead_to():
    graph = {1: [2], 2: [3, 4], 3: [1], 4: [5], 5: [], 6: [1]}
    found = [sorted(component) for component in components([6, 5], graph.get)]
    assert found == [[5], [4], [1, 2, 3], [6]]
    long = {n: [n + 1] for n in range(10_000)} | {10_000: []}
    assert components([0], long.get)[0] == [10_000]


def test_digests_are_the_same_in_another_process(tmp_path):
    write(tmp_path / "lab", LAB)
    code = "import pathlib, sys, ablation.support.definitions as d; "
    code += f"print(d.Sources(pathlib.Path(sys.argv[1])).digest({ROOTS}))"
    said = subprocess.run([sys.executable, "-c", code, tmp_path / "lab"], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == Sources(tmp_path / "lab").digest(ROOTS)


def test_training_reaches_what_it_runs_and_nothing_that_makes_no_record():
    reached = Sources().reached(["ablation.training.run:train"])
    assert {
        ("ablation.training.run", "Run"),
        ("ablation.training.evaluation", "evaluating"),
        ("ablation.training.evaluation", "EVALUATION_BATCH"),
        ("ablation.training.optimisation", "learning_rate"),
        ("ablation.networks.randomness", "stream"),
        ("ablation.networks.initialisation", "initialise"),
        ("ablation.networks.build", "build"),
        ("ablation.networks.kit", "Layers"),
    } <= reached
    assert ("ablation.training.run", "be_deterministic") not in reached
    assert not {module for module, _ in reached} & {
        "ablation.records.store",
        "ablation.study.plan",
        "ablation.study.schema",
    }
