"""What may be set, and what is said of what may not."""

from pathlib import Path

import pytest

from ablation.jobs.settings import SettingsError, check_folder, complete, threads_note

SCHEMA = Path(__file__).parents[2] / "workflow/schemas/config.schema.yaml"


def test_defaults_are_set_and_what_was_set_stays():
    settings = {"study": "digits", "shard_size": 3}
    complete(settings, SCHEMA)
    assert settings["results"] == "results"
    assert settings["shard_size"] == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"study": None}, "study: found nothing, expected a word: Name of a file in config/studies"),
        ({"study": ""}, "study: found nothing, expected a word"),
        ({"study": ["a"]}, 'study: found ["a"], expected a word'),
        ({"study": 3}, "study: found 3, expected a word"),
        ({}, "study: this key is missing (--config, config/config.yaml or a profile); expected a word"),
        (
            {"study": "d", "shard_size": "many"},
            'shard_size: found "many", expected a whole number of at least 1: Seeds',
        ),
        ({"study": "d", "shard_size": 0}, "shard_size: found 0, expected a whole number of at least 1"),
        ({"study": "d", "gpus_per_job": 2}, "gpus_per_job: found 2, expected a whole number from 0 to 1"),
        ({"study": "d", "results": None}, "results: found nothing, expected a word: Folder of all that is made"),
        (
            {"study": "d", "shardsize": 3},
            "shardsize: unknown key of --config, config/config.yaml or a profile; did you",
        ),
        ({"study": "d", "shardsize": 3}, "did you mean 'shard_size'?; allowed: study, results"),
        (
            {"study": "d", "x": 3},
            "x: unknown key of --config, config/config.yaml or a profile; allowed: study, results",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_line_without_jargon(settings, said):
    with pytest.raises(SettingsError) as error:
        complete(settings, SCHEMA)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert "None" not in str(error.value)


def test_every_mistake_is_said():
    with pytest.raises(SettingsError) as error:
        complete({"results": 3, "studdy": "digits", "shard_size": 0}, SCHEMA)
    assert [line.partition(":")[0] for line in str(error.value).splitlines()] == [
        "studdy",
        "study",
        "results",
        "shard_size",
    ]


def test_a_folder_that_is_none_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    for name in (".", "new/folder"):
        check_folder("results", tmp_path / name)
    for name, what in (("file", "file"), ("file/below", "file"), ("link", "link to nothing,")):
        with pytest.raises(
            SettingsError, match=f"^results: found the {what} {tmp_path}/{name.split('/')[0]}, expected"
        ):
            check_folder("results", tmp_path / name)


@pytest.mark.parametrize(
    ("threads", "cores", "asked", "said"),
    [
        (2, 1, {}, "not as --cores 1:"),
        (1, 8, {"train_shard": 4, "collect_records": 2}, "not as --set-threads train_shard=4:"),
        (2, 1, {"study_train_shard": 4}, "not as --set-threads study_train_shard=4 and --cores 1:"),
    ],
)
def test_threads_other_than_the_stated_ones_are_said(threads, cores, asked, said):
    note = threads_note(threads, cores, asked)
    assert note.startswith(f"each training computes with {threads} processor threads")
    assert said in note


@pytest.mark.parametrize("cores", [2, 8, None])
def test_threads_as_stated_need_no_word(cores):
    assert threads_note(2, cores, {"collect_records": 4}) == ""
