"""Files that are meant to break the readers: each is refused in a sentence, at once, and leaves nothing behind."""

import errno
import os
import re
import time

import pytest
from specs import GOOD

from ablation.study.parts import PartsError, read_parts
from ablation.study.studyfile import StudyFileError, locate_study, parse_value, read_study
from ablation.study.yamlfile import compose

SECONDS = 10  # far more than any of them takes, on a machine that does much else
JARGON = re.compile(r"Input should|pydantic|_type\b|_forbidden|Traceback|Error\b|NoneType|<class|jsonschema")


def refusal(read, path, error=StudyFileError):
    """Return what a reader says of a file that it refuses."""
    start, before = time.process_time(), sorted(path.parent.iterdir())
    with pytest.raises(error) as caught:
        read(path)
    message = str(caught.value)
    assert time.process_time() - start < SECONDS
    assert sorted(path.parent.iterdir()) == before, "a bad file creates nothing"
    assert not JARGON.search(message.replace(str(path.parent), "")), message
    assert len(message) < 40_000
    message.encode()  # what cannot be written to a terminal is escaped
    return message


@pytest.fixture
def refused(tmp_path):
    """Return what is said of a study of this text."""

    def read(text):
        path = tmp_path / "mine.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return refusal(read_study, path)

    return read


def change(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


def variants(levels, design="one_at_a_time"):
    return change("norm: [batch]}", f"{levels}}}\n    design: {design}")


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
CLAIM = (
    "{statement: s, source: t, factor: architecture, level: [a], against: {b: c}, metric: test_loss, direction: less}"
)
ATTACKS = {
    # What would hang, or take all memory.
    "laughs": (LAUGHS + GOOD, "found more than 100,000 values (line 6; aliases count), expected fewer"),
    "seeds": (change("seeds: 3", "seeds: 1000000000"), "line 13, seeds: found 1000000000, expected a whole number from 1 to 10,000"),
    "listed seeds": (change("seeds: 3", f"seeds: {list(range(10_001))}"), "expected a whole number from 1 to 10,000"),
    "levels": (variants(f"width: {list(range(7, 4000))}, hidden: {list(range(1, 18_000))}"), "line 9, grid[0]: found 21,994 variants, expected at most 20,000"),
    "factorial": (variants(f"lr: {[n / 100 for n in range(1, 100)]}, width: {list(range(7, 1000))}", "full_factorial"), "grid[0]: found 295,218 variants, expected at most 20,000"),
    "blocks": (change("grid:\n", "grid:\n" + f"  - factors: {{width: {list(range(9, 3000))}}}\n" * 8), "line 12, grid[3]: found 23,930 variants up to here, expected at most 20,000"),
    "milestones": (change("lr: 1e-1", f"lr: 0.1, schedule: step, milestones: {[n / 999 for n in range(1, 300)]}"), "recipe.milestones: found 299 entries, expected 100 or fewer"),
    "claims": (GOOD + "claims:\n" + "".join(f"  c{n}: {CLAIM}\n" for n in range(1001)), "claims: found 1,001 entries, expected 1,000 or fewer"),
    "a factorial of many factors": (variants(", ".join(f"f{n}: [1, 2]" for n in range(400)), "full_factorial"), "found more than 10^15 variants"),
    "claims on architectures": (change("architectures:\n", "architectures:\n" + "".join(f"  a{n}: {{builder: lenet}}\n" for n in range(100))) + "claims:\n" + "".join(f"  c{n}: {CLAIM}\n" for n in range(100)), "claims: found claims that would be tested 10,200 times"),
    "a chain of starts": (change("architectures:\n", "architectures:\n" + "".join(f"  a{n}: {{builder: lenet, baseline: {{warm_start: a{n - 1}}}}}\n" for n in range(1, 500)) + "  a0: {builder: lenet}\n"), "found more than 10 warm starts one after the other, expected fewer"),
    "a circle of starts": (change("  lenet: {baseline: {", "  a: {builder: lenet, baseline: {warm_start: lenet}}\n  lenet: {baseline: {warm_start: a, "), "a: found a warm start that comes back to 'a'"),
    "architectures": (change("architectures:\n", "architectures:\n" + "".join(f"  a{n}: {{builder: lenet}}\n" for n in range(1001))), "architectures: found 1,003 entries, expected 1,000 or fewer"),
    "a large file": (GOOD + "#" * 600_000, "found a file of more than 500,000 bytes"),
    "a long text": (change("A title", "x" * 10_000), "title: found 10,000 characters, expected 300 or fewer"),
    # What PyYAML builds something else of.
    "python": (change("A title", "!!python/object/apply:os.system [x]"), "title: found the tag '!!python/object/apply:os.system' (line 1), expected a value without one"),
    "timestamp": (change("A title", "!!timestamp 2020-01-01"), "found the tag '!!timestamp'"),
    "int": (change("seeds: 3", "seeds: !!int abc"), "found the tag '!!int' (line 13)"),
    "a tag on a mapping": (change("data: {", "data: !x {"), "found the tag '!x'"),
    "a date": (change("seeds: 3", "seeds: 2020-01-01"), "seeds: found '2020-01-01', expected a whole number"),
    "0x_": (change("seeds: 3", "seeds: 0x_"), "seeds: found '0x_', expected a whole number"),
    "1_000": (change("epochs: 3", "epochs: 1_000"), "recipe.epochs: found '1_000', expected a whole number"),
    "1:30": (change("epochs: 3", "epochs: 1:30"), "recipe.epochs: found '1:30', expected a whole number"),
    "5,000 digits": (change("epochs: 3", "epochs: 1" + "0" * 5000), "recipe.epochs: found a number of 5,001 characters (line 4)"),
    "hexadecimal": (change("epochs: 3", "epochs: 0x1" + "0" * 5000), "found a number of 5,003 characters"),
    "1e999": (change("lr: 1e-1", "lr: 1e999"), "recipe.lr: found 1e999 (line 4), expected a number between"),
    "1e-999": (change("lr: 1e-1", "lr: 1e-999"), "recipe.lr: found 1e-999"),
    "infinity": (change("lr: 1e-1", "lr: -.inf"), "recipe.lr: found -.inf (line 4), expected a finite number"),
    "nan": (change("lr: 1e-1", "lr: .nan"), "recipe.lr: found .nan"),
    "deep": ("[" * 100_000, "nested more than 40 deep (line 1)"),
    "deep blocks": ("- " * 5000 + "x", "nested more than 40 deep"),
    "deep mappings": ("".join("  " * n + "a:\n" for n in range(500)), "nested more than 40 deep"),
    "deep aliases": ("a0: &a0 [[[[[[[[[[[[x]]]]]]]]]]]]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 60)), "nested more than 40 deep"),
    "a deep level": (change("[sigmoid, tanh]", "[" * 30 + "x" + "]" * 30), "activation[0]: found [[[["),
    # Characters and keys.
    "a lone surrogate": (change("A title", '"\\ud800"'), "title: found the character U+D800 (line 1)"),
    "a surrogate as a key": (change("title:", '"\\udfff":'), "found the character U+DFFF (line 1)"),
    "encoded surrogates": (change("A title", "\ud800"), "cannot be read as UTF-8 text: found the byte 0xED in line 1"),
    "NUL": (change("A title", "\x00"), "mine.yaml, line 1: found the character U+0000"),
    "an escaped NUL": (change("A title", '"a\\0b"'), "title: found the character U+0000 (line 1)"),
    "an escape": (change("A title", '"\\x1b[2J"'), "title: found the character U+001B (line 1)"),
    "no character": (change("A title", '"\\UFFFFFFFF"'), "mine.yaml: not valid YAML"),
    "a newline in a name": (change("  lenet: {", '  "lenet\\n": {'), "architectures.lenet\\n: found the name 'lenet\\n'"),
    "a newline in a claim": (GOOD + f'claims: {{"c\\n": {CLAIM}}}', "claims.c\\n: found the name 'c\\n'"),
    "a list as a key": (change("{activation: relu}", "{[a]: relu}"), "found a list or mapping as a key (line 6)"),
    "a key twice": (change("{activation: relu}", "{activation: relu, activation: tanh}"), "found the key 'activation' twice (line 6)"),
    "an alias as a key": (change("title: A title", "title: &a A title\n*a : x"), "found a list or mapping as a key (line 2)"),
    "a mapping as a level": (change("[sigmoid, tanh]", "[{a: [b]}, [c]]"), 'activation[0]: found {"a": ["b"]}, expected a level of activation'),
    "a list as a choice": (change("norm: [batch]", "pooling: [[max]]"), 'found ["max"]'),
    "architectures that are none": (GOOD + f"claims: {{c: {CLAIM}}}", 'claims.c.level: found ["a"], expected an architecture of this study'),
    "no anchor": (change("A title", "*nothing"), "found the alias *nothing (line 1) of an anchor that there is not"),
    "an anchor twice": (change("title: A title", "title: &a x\nb: &a y"), "found the anchor 'a' twice (line 2)"),
    "merged text": (change("{name: digits}", "{name: digits, <<: x}"), "found 'x' (line 3), expected a mapping to take keys from"),
    # The file itself.
    "two documents": (GOOD + "---\na: b\n", "found a second document (---, line 15), expected one"),
    "an empty file": ("", "mine.yaml: found an empty file, expected a mapping with the keys of a study"),
    "comments": ("# nothing\n---\n...\n", "found an empty file"),
    "a number": ("3", "mine.yaml: found 3, expected a mapping"),
    "UTF-16": (GOOD.encode("utf-16"), "cannot be read as UTF-8 text: found the byte 0xFF in line 1"),
    "tabs": (change("  lenet: {", "\tlenet: {"), "line 6, column 1: not valid YAML: found a tab, expected spaces"),
    "a directive": ("%YAML 7.7\n---\n" + GOOD, "not valid YAML"),
    "a large directive": (f"%YAML {'9' * 5000}.1\n---\n" + GOOD, "not valid YAML"),
    # What makes no sense.
    "a batch": (change("batch_size: 64", f"batch_size: {10**30}"), "recipe.batch_size: found 1000000000000000000000000000000, expected 1,000,000 or less"),
    "epochs": (change("epochs: 3", f"epochs: {10**30}"), "expected 100,000 or less"),
    "a rate": (change("lr: 1e-1", "lr: 1e308"), "recipe.lr: found 1e+308, expected 100,000 or less"),
    "a decay": (change("lr: 1e-1", "lr: 0.1, weight_decay: 1e30"), "recipe.weight_decay: found 1e+30, expected 100,000 or less"),
    "a side": (change("name: digits", "name: digits, side: 1000000"), "data.side: found 1000000, expected 4,096 or less"),
    "a crop": (change("lr: 1e-1", "lr: 0.1, augmentation: crop99999"), "recipe.augmentation: found 'crop99999', expected at most crop1024"),
    "a crop beyond the image": (change("lr: 1e-1", "lr: 0.1, augmentation: crop8"), "expected crop by less than the 8 pixels"),
    "crops": (change("lr: 1e-1", f"lr: 0.1, augmentation: {'+'.join(['crop2'] * 50)}"), "expected at most 20 parts joined by +"),
    "digits of a crop": (change("lr: 1e-1", f"lr: 0.1, augmentation: crop{'9' * 5000}"), "expected none, or parts joined by +"),
    "a width": (change("norm: [batch]", f"width: [{10**9}]"), "grid[0].factors.width[0]: found 1000000000, expected 4,096 or less"),
    "a seed": (change("seeds: 3", f"seeds: [{2**64}]"), "seeds[0]: found 18446744073709551616, expected 9,223,372,036,854,775,807 or less"),
    "an empty title": (change("A title", '"  "'), "title: found '', expected text that is not blank"),
    "lines in a title": (change("A title", '"a\\nb"'), "title: found 'a\\nb', expected one line"),
    "a blank question": (change("A question?", '" "'), "question: found ' ', expected text that is not blank"),
    "a start across families": (change("lr: [0.01]", "warm_start: [lenet]"), "expected a variant of the same family: a network of resnet shares no kernels with one of lenet"),
    "a start from itself": (change("lr: [0.01]", "warm_start: [resnet-warm_start.resnet]").replace("residual: [none], ", ""), "expected a variant of this study"),
    # Names of files.
    "a long id": (change("resnet: {builder", f"{'r' * 201}: {{builder").replace("[resnet]", f"[{'r' * 201}]"), "with a name of 201 characters, expected 200 or fewer: files are named by it"),
    "a level with a long name": (variants("lr: [1e-300]"), "with a name of 311 characters, expected 200 or fewer"),
    "a long path": (f"parts: [{'p' * 400}.py]\n{GOOD}", "cannot be read: File name too long"),
    "a path with NUL": (f'parts: ["a\\0.py"]\n{GOOD}', "parts[0]: found the character U+0000"),
    "folders as parts": (f"parts: [.py]\n{GOOD}", "parts: "),
    # Many mistakes are counted.
    "a level 20 times": (change("[sigmoid, tanh]", str(["tanh"] * 20)), "found the level 'tanh' twice, expected every level once"),
    "many mistakes": (change("[sigmoid, tanh]", str([f"a{n}" for n in range(500)])), "  … and 480 more mistakes"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_a_study_that_is_meant_to_break_the_reader_is_refused_in_a_sentence(refused, name):
    text, expected = ATTACKS[name]
    assert expected in refused(text)


FILES = {
    "folder": (lambda path: path.mkdir(), "found a folder, expected a file"),
    "pipe": (os.mkfifo, "found a device or pipe, expected a file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "found a device or pipe, expected a file"),
    "circle": (lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
    "nothing": (lambda path: None, "found no such file"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("read", "error"), [(read_study, StudyFileError), (read_parts, PartsError)])
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path, name, read, error):
    make, expected = FILES[name]
    path = tmp_path / ("mine.yaml" if read is read_study else "mine.py")
    make(path)
    assert expected in refusal(read, path, error)


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    def deny(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    monkeypatch.setattr("builtins.open", deny)  # root may read whatever its mode says
    assert "cannot be read: Permission denied" in refusal(read_study, path)


@pytest.mark.parametrize("given", ["x" * 5000, "x" * 5000 + ".yaml", "a\0b", "a\0b.yaml", "digits\n", "\ud800", ""])
def test_a_name_that_no_file_can_have_is_refused(given):
    with pytest.raises(StudyFileError, match="study: "):
        locate_study(given)


def test_a_folder_in_place_of_a_study_is_refused(tmp_path):
    folder = tmp_path / ("a" * 80) / "mine.yaml"
    folder.mkdir(parents=True)
    with pytest.raises(StudyFileError, match=r"study: found the folder '.*mine\.yaml', expected"):
        locate_study(str(folder))


# Replacements in a file of parts, and what is said.
PART = 'METRICS = {"own": {"label": "own", "compute": "f"}}\ndef f(): ...\n'
PARTS = {
    "deep lists": ('"own", "c', f"{'[' * 150}0{']' * 150}, \"c", "METRICS.own.label: found"),
    "deeper lists": ('"own", "c', f"{'[' * 5000}0{']' * 5000}, \"c", "not valid Python: too many nested parentheses"),
    "deep sums": ('"own", "c', f"{'1+' * 50_000}1, \"c", "not valid Python: nested too deeply"),
    "sums": ('"own", "c', f"{'1+' * 900}1, \"c", "METRICS.own.label: found '"),
    "deep attributes": ('"own", "c', f"a{'.a' * 50_000}, \"c", "not valid Python: nested too deeply"),
    "deep conditions": ("def f", "if a: pass\n" + "elif a: pass\n" * 50_000 + "def f", "nested too deeply"),
    "signs": ('"own", "c', f"{'-' * 50_000}1, \"c", "not valid Python: nested too deeply"),
    "digits": ('"own", "c', f"{'9' * 5000}, \"c", "not valid Python: Exceeds the limit (4300 digits)"),
    "hexadecimal digits": ('"own", "c', f"0x{'9' * 5000}, \"c", "METRICS.own.label: found '…', expected a literal"),
    "power": ('"own", "c', '9**9**9**9, "c', "METRICS.own.label: found '9 ** 9 ** 9 ** 9', expected a literal"),
    "infinity": ('"own", "c', '1e999, "c', "METRICS.own.label: found '1e309', expected a literal"),
    "surrogate": ('"own", "c', '"\\ud800", "c', "METRICS.own.label: found '\\ud800', expected text without control characters"),
    "surrogate in a list": ('"own", "c', '["\\ud800"], "c', "METRICS.own.label: found ['\\ud800'], expected text without"),
    "surrogate as a key": ('"own": {', '"\\ud800": {', "METRICS: found the key '\\ud800', expected text without"),
    "escape": ('"own", "c', '"\\x1b[2J", "c', "METRICS.own.label: found '\\x1b[2J'"),
    "long name": ('"own": {', f'"{"x" * 100_000}": {{', "found the name 'xxx"),
    "NUL": ("def f", "\x00def f", "null bytes"),
    "encoding": ("METRICS", "# -*- coding: latin-1 -*-\nMETRICS", "found the encoding 'iso-8859-1' in a comment, expected a file in UTF-8"),
    "no encoding": ("METRICS", "# -*- coding: nothing -*-\nMETRICS", "not valid Python: unknown encoding: nothing"),
    "UTF-16": ("own", "\ud800", "cannot be read as UTF-8 text"),
    "a list as a key": ('"own": {', '[1]: {', "METRICS: found '[1]' as a key"),
    "a dict as a key in a list": ('"own", "c', '[{{}: 1}], "c', "METRICS.own.label: found '[{{}: 1}]', expected a literal"),
    "digits shown": ('"own", "c', '"own", "digits": 999999999, "c', "METRICS.own.digits: found 999999999, expected from 0 to 12"),
    "scale": ('"own", "c', '"own", "scale": 1e300, "c', "METRICS.own.scale: found 1e+300, expected from"),
    "worth": ('"own", "c', '"own", "diverged": "chanse", "c', "METRICS.own.diverged: found 'chanse', expected a number or chance, chance_of_five"),
    "endless worth": ('"own", "c', '"own", "diverged": 1e300, "c', "METRICS.own.diverged: found 1e+300, expected from"),
    "bounds": ('"own", "c', '"own", "bounds": [1, 0], "c', "METRICS.own.bounds: found (1.0, 0.0), expected the least value and a greater one"),
    "no effect": ('"own", "c', '"own", "smallest_effect": -1.0, "c', "METRICS.own.smallest_effect: found -1.0"),
    "many": ('"own": {', "".join(f'"{n}": 3, ' for n in range(500)) + '"own": {', "  … and 480 more mistakes"),
    "large": ("def f", "#" * 1_000_001 + "\ndef f", "found a file of more than 1,000,000 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_parts_that_are_meant_to_break_the_reader_are_refused_in_a_sentence(tmp_path, name):
    old, new, expected = PARTS[name]
    assert old in PART
    path = tmp_path / "mine.py"
    path.write_bytes(PART.replace(old, new, 1).encode("utf-8", "surrogatepass"))
    assert expected in refusal(read_parts, path, PartsError)


@pytest.mark.parametrize(
    "text", ["\ufeff" + PART, PART.replace("\n", "\r\n"), "# coding: utf8\n" + PART, r"x = '\d'" + "\n" + PART]
)
def test_ways_to_write_the_same_parts_are_read(tmp_path, text, recwarn):
    path = tmp_path / "mine.py"
    path.write_bytes(text.encode())
    assert list(read_parts(path).entries) == [("METRICS", "own")]
    assert not recwarn.list


# What the core schema of YAML 1.2 makes of a word.
WORDS = {
    "010": 10, "-7": -7, "+7": 7, "0o17": 15, "0x1F": 31, "0": 0, "1e3": 1000.0, "1.": 1.0, ".5": 0.5, "-1.5E-3": -0.0015,
    "1:30": "1:30", "1_000": "1_000", "0x_": "0x_", "0b11": "0b11", "0o8": "0o8", "-0x1F": "-0x1F", "2020-01-01": "2020-01-01",
    "yes": "yes", "no": "no", "on": "on", "off": "off", "y": "y", "true": True, "False": False, "TRUE": True, "tRUE": "tRUE",
    "null": None, "~": None, "Null": None, "": None, "nUll": "nUll", "e5": "e5", "1e": "1e", ".": ".", "=": "=", "'1'": "1",
}  # fmt: skip


@pytest.mark.parametrize("text", WORDS)
def test_words_are_what_the_core_schema_of_yaml_1_2_says(text):
    found = parse_value(text)
    assert (found, type(found)) == (WORDS[text], type(WORDS[text]))


def test_keys_are_words_whatever_they_look_like():
    assert compose("{on: 1, 3: 2, null: 3, ~: 4, 1.5: 5}").content == {"on": 1, "3": 2, "null": 3, "~": 4, "1.5": 5}


def test_aliases_and_taken_over_keys_are_read_with_their_lines():
    node = compose("a: &a {x: 1,\n y: 2}\nb:\n  <<: *a\n  y: 3\nc: [*a, {<<: [*a, {z: 4}]}]\n")
    assert node.content["b"] == {"y": 3, "x": 1}
    assert node.content["c"] == [{"x": 1, "y": 2}, {"x": 1, "y": 2, "z": 4}]
    assert [node.line_of(key) for key in [("b", "y"), ("b", "x"), ("a", "y"), ("c", 1, "z"), ("d",)]] == [5, 1, 2, 6, 1]


@pytest.mark.parametrize(
    "text", [GOOD.replace("\n", "\r\n"), "\ufeff" + GOOD, "---\n" + GOOD + "...\n", "%YAML 1.2\n---\n" + GOOD]
)
def test_ways_to_write_the_same_file_are_read(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_bytes(text.encode())
    assert read_study(path).runs == 21


def test_a_study_of_the_largest_size_is_read_in_time(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        change(
            "activation: [sigmoid, tanh], norm: [batch]",
            f"lr: {[n / 1000 for n in range(101, 2000)]}, width: {list(range(7, 16))}",
        ).replace("  - architectures: [resnet]", "    design: full_factorial\n  - architectures: [resnet]")
    )
    start = time.process_time()
    plan = read_study(path)
    assert len(plan.variants) > 19_000
    assert time.process_time() - start < 60


def test_many_exclusions_of_many_variants_are_read_in_time(tmp_path):
    path = tmp_path / "mine.yaml"
    rates = [n / 1000 for n in range(101, 1600)]
    excluded = ", ".join(f"{{lr: {rate}, width: 7}}" for rate in rates[:1000])
    levels = f"lr: {rates}, width: {list(range(7, 13))}}}\n    exclude: [{excluded}]"
    path.write_text(
        change("activation: [sigmoid, tanh], norm: [batch]}", levels).replace(
            "  - architectures: [resnet]", "    design: full_factorial\n  - architectures: [resnet]"
        )
    )
    start = time.process_time()
    assert len(read_study(path).variants) == 1500 * 7 - 1000 + 3
    assert time.process_time() - start < 60


def test_a_study_of_more_runs_than_are_allowed_says_how_many_and_which_option_lets_it_go_on(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    with pytest.raises(StudyFileError) as caught:
        read_study(path, 20)
    expected = "would be 7 variants x 3 seeds = 21 runs, expected 20 or fewer; if it is meant so: --config max_runs=21"
    assert str(caught.value) == f"{path} {expected}"
    assert read_study(path, 21).runs == 21
