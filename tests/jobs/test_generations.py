import json
import os

import pytest

from ablation.jobs.generations import Generation, next_generation


def find_lost(content):
    return [key for key in content["keys"] if key.startswith("lost")]


def generation_of(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return next_generation(path, find_lost)


def test_the_number_stays_while_nothing_is_lost_and_grows_by_one_when_something_is(tmp_path):
    path = tmp_path / "result.json"
    assert next_generation(path, find_lost) == Generation(0), "there is no file"
    assert generation_of(path, {"keys": ["a"]}) == Generation(0), "it was written before there were numbers"
    assert generation_of(path, {"keys": ["a", "b"], "generation": 3}) == Generation(3)
    assert generation_of(path, {"keys": ["lost 1", "b", "lost 2"], "generation": 3}) == Generation(
        4, ("lost 1", "lost 2")
    )


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", {"keys": [0]}, {"keys": ["a"], "generation": "x"}])
def test_a_file_that_cannot_be_read_gets_a_number_that_was_no_count(tmp_path, content):
    path = tmp_path / "result.json"
    generation_of(path, content)
    os.utime(path, (1_800_000_000.5, 1_800_000_000.5))
    assert next_generation(path, find_lost) == Generation(1_800_000_000, ("the file itself",))
