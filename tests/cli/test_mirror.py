"""When the follower of a start begins to mirror, and what it reads for that."""

import argparse
import json
import os
import time

import pytest
from mirrored import MANIFEST, Synthetic, curves

from ablation.cli import mirror
from ablation.jobs.registration import register
from ablation.tracking.address import LEDGER, Address


@pytest.fixture
def study(tmp_path):
    return Synthetic(tmp_path / "results", "opened")


@pytest.fixture
def arguments(study):
    manifest, answers = study.results / "manifest.json", study.results / "controls.json"
    given = {"study": study.file, "variants": study.variants, "manifest": manifest, "answers": answers}
    return argparse.Namespace(store=study.store.root, **given)


def test_a_plan_is_read_once_there_is_news_and_again_only_when_a_file_changed(study, arguments, monkeypatch):
    read = []
    monkeypatch.setattr(mirror, "read_started", lambda *paths: read.append(paths))  # as long as controls are sought
    study.finish(study.runs[0])
    opening = mirror.Opening(arguments, Address.of(study.results, {}))
    arguments.manifest.write_text(json.dumps(MANIFEST))
    assert (opening(), read) == (None, []), "what was there before the start is no news"
    with study.store.lock(study.runs[1].key) as running:
        running.write_curves(curves(1))
    for _ in range(3):
        assert opening() is None
    assert len(read) == 1
    arguments.answers.write_text("{}")
    for _ in range(3):
        assert opening() is None
    assert len(read) == 2
    monkeypatch.undo()
    arguments.answers.write_text('{"again": 1}')
    found = opening()
    assert [planned.key for planned in found.runs] == [planned.key for planned in study.runs]


def test_nothing_is_read_before_the_data_are_known(study, arguments, monkeypatch):
    monkeypatch.setattr(mirror, "read_started", lambda *paths: pytest.fail("read"))
    opening = mirror.Opening(arguments, Address.of(study.results, {}))
    study.finish(study.runs[0])
    assert opening() is None


def test_claims_that_were_registered_since_anything_was_sent_are_news(study, arguments, monkeypatch):
    monkeypatch.setattr(mirror, "make_mirror", lambda *given: "opened")
    arguments.manifest.write_text(json.dumps(MANIFEST))

    def first_look():
        return mirror.Opening(arguments, Address.of(study.results, {}))()

    assert first_look() is None, "nothing was registered"
    register(study.plan, study.results)
    assert first_look() == "opened"
    ledger = study.results / LEDGER
    ledger.touch()
    os.utime(ledger, (time.time() + 9, time.time() + 9))
    assert first_look() is None, "it was sent: a start that trains nothing costs nothing"
