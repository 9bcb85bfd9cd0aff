"""The readers of studies and parts against files that nobody thought of: a plan, or a sentence, in bounded time.

More examples, and other ones each time: FUZZ_EXAMPLES=20000 ./do test tests/study/test_fuzz.py
"""

import contextlib
import json
import os
import random
import re
import time
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from specs import GOOD

from ablation.study.parts import Parts, PartsError, read_parts
from ablation.study.plan import Plan
from ablation.study.studyfile import StudyFileError, parse_value, read_study, study_schema
from ablation.study.yamlfile import compose

ROOT = Path(__file__).parents[2]
EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
fuzz = settings(
    max_examples=int(EXAMPLES or 150),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
SECONDS = 10
JARGON = re.compile(
    r"Input should|should be|should have|pydantic|Traceback|NoneType|<class|<function|another value|expected expected|"
    r"extra_forbidden|\b(int|str|float|bool|list|dict|tuple|string|model)_(type|parsing)"
)
VALIDATOR = jsonschema.Draft202012Validator(study_schema())

STUDIES = [
    compose(GOOD).content | {"claims": {"c": {"statement": "s", "source": "t", "factor": "activation", "level": "relu",
        "against": "tanh", "metric": "test_accuracy", "direction": "less"}}},
    compose((ROOT / "config/studies/digits.yaml").read_text()).content,
    compose((ROOT / "config/studies/residual.yaml").read_text()).content,
]  # fmt: skip
TEXTS = [GOOD, *((ROOT / f"config/studies/{name}.yaml").read_text() for name in ("digits", "miniature"))]
PARTS = (ROOT / "examples/own_parts/mixer.py").read_text()

NAMES = sorted({part for text in TEXTS for part in re.findall(r"\w+", text)})
words = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(
        ["none", "warm_start", "optimizer", "adam", "match", "parameters", "by", "given", "exclude", "variants"]
    ),
    st.text(max_size=8),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.integers(),
    st.sampled_from([10**30, -(10**30), 10**400, 2**63, 1e308, 1e-300, 0.5, -0.0]),
    st.floats(allow_nan=False, allow_infinity=False),
    words,
)
nonsense = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4), max_leaves=12
)
SNIPPETS = [
    *("&a ", "*a", "<<: ", "!!int ", "!x ", "? ", "- ", ": ", "---\n", "...\n", "%YAML 1.2\n", "\t", "\n", "  ", "{", "}"),
    *("[", "]", '"', "'", "#", "|\n", ">-\n", "\x00", "\x1b", "\ufeff", "\u2028", "\x85", "\\ud800", ".inf", "1e999"),
    *("0x", "9" * 50, "~", "null", "@", "`", "%", ",", "\\", '"\\x', '"\\U0011FFFF"', "é", "🦜", "*", "&", "!", "!!", "!<"),
    *("(", ")", "lambda: ", "**"),
]  # fmt: skip


def places(content, here=()):
    """List the paths of all values of plain data."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [here, *(place for key, value in inner for place in places(value, (*here, key)))]


def at(content, place):
    for key in place:
        content = content[key]
    return content


@st.composite
def mutated(draw, contents):
    """Plain data of a good file with some values replaced, left out, added, repeated or exchanged."""
    content = json.loads(json.dumps(draw(st.sampled_from(contents))))
    for _ in range(draw(st.integers(1, 3))):
        where = [place for place in places(content) if place]
        if not where:
            break
        *above, key = draw(st.sampled_from(where))
        parent = at(content, above)
        what = draw(
            st.sampled_from(["replace", "replace", "replace", "delete", "insert", "exchange", "rename", "wrap"])
        )
        if what == "replace":
            parent[key] = draw(nonsense)
        elif what == "delete":
            del parent[key]
        elif what == "insert" and isinstance(parent, dict):
            parent[draw(words)] = draw(nonsense)
        elif what == "insert":
            parent.insert(key, draw(st.sampled_from(parent) | nonsense))
        elif what == "rename" and isinstance(parent, dict):
            parent[draw(words)] = parent.pop(key)
        elif what == "wrap":
            parent[key] = [parent[key]]
        else:
            other = at(content, draw(st.sampled_from(where)))
            parent[key] = json.loads(json.dumps(other))
    return content


@st.composite
def scribbled(draw, texts):
    """A good text with pieces cut out, repeated, exchanged, or put in."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 40)))
        piece = draw(st.sampled_from([*SNIPPETS, "", text[start:end] * 2]) | st.text(max_size=5))
        text = text[:start] + piece + text[end:]
    return text


def judge(read, path, error):
    """Read a file; what is wrong with it must be said as all mistakes are."""
    start = time.process_time()
    try:
        return read(path)
    except error as refusal:
        message = str(refusal)
        assert message.startswith(str(path))
        assert len(message) < 60_000
        message.encode()
        assert not JARGON.search(message), message
        return None
    finally:
        assert time.process_time() - start < SECONDS
        assert [file.name for file in path.parent.iterdir()] == [path.name]


def judge_study(folder, text):
    path = folder / "mine.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    plan = judge(read_study, path, StudyFileError)
    assert plan is None or isinstance(plan, Plan)
    return plan


@fuzz
@given(content=mutated(STUDIES))
def test_a_study_with_other_values_is_read_or_refused_and_its_schema_agrees(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "structure"
    folder.mkdir(exist_ok=True)
    if judge_study(folder, json.dumps(content)):
        VALIDATOR.validate(compose(json.dumps(content)).content)


@fuzz
@given(text=scribbled(TEXTS))
def test_a_study_that_is_scribbled_on_is_read_or_refused(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp() / "text"
    folder.mkdir(exist_ok=True)
    judge_study(folder, text)


@fuzz
@given(text=st.lists(st.sampled_from(SNIPPETS) | words, max_size=30).map("".join))
def test_what_is_no_study_at_all_is_refused(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp() / "nothing"
    folder.mkdir(exist_ok=True)
    assert judge_study(folder, text) is None
    with contextlib.suppress(StudyFileError):
        parse_value(text)


def tables(text):
    """The tables of a file of parts, and its code."""
    scope = {}
    literal = "\n".join(re.findall(r"^[A-Z_]+ = \{.*?^\}", text, re.MULTILINE | re.DOTALL))
    exec(literal, scope)
    return {name: value for name, value in scope.items() if name.isupper()}


@fuzz
@given(content=mutated([tables(PARTS)]))
def test_parts_with_other_values_are_read_or_refused(tmp_path_factory, content):
    judge_parts(
        tmp_path_factory, "\n".join(f"{name} = {value!r}" for name, value in content.items()) + "\n" + PARTS[-2000:]
    )


@fuzz
@given(text=scribbled([PARTS]))
def test_parts_that_are_scribbled_on_are_read_or_refused(tmp_path_factory, text):
    judge_parts(tmp_path_factory, text)


def judge_parts(factory, text):
    folder = factory.getbasetemp() / "parts"
    folder.mkdir(exist_ok=True)
    path = folder / "mine.py"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    parts = judge(read_parts, path, PartsError)
    assert parts is None or isinstance(parts, Parts)


@pytest.mark.parametrize("seed", range(3))
def test_bytes_are_refused(tmp_path, seed):
    path = tmp_path / "mine.yaml"
    path.write_bytes(random.Random(seed).randbytes(1000))
    assert judge(read_study, path, StudyFileError) is None
