"""The mirror over bad lines to a real server: what was asked is done once, however often it had to be asked."""

import itertools
import random
import re
import threading
from collections import Counter

import pytest
from mirrored import active_runs, assert_is_the_study
from proxy import Proxy

pytestmark = pytest.mark.server


def until_done(step, attempts=60):
    """Do what may fail until it does not, as the commands do with pauses in between."""
    for _ in range(attempts):
        try:
            return step()
        except Exception as error:
            last = error
    raise last


def test_a_line_that_delays_loses_truncates_and_stalls(server, client, synthetic, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    study = synthetic()
    study.finish_all()
    faults = ["lose"] * 4 + ["truncate"] * 4 + ["stall"] + [("delay", 0.1)] * 6 + [None] * 35
    random.Random(7).shuffle(faults)
    becomes = itertools.cycle(faults)
    with Proxy(server.port, lambda method, path: next(becomes)) as line:
        mirror = study.mirror(line.uri)
        until_done(lambda: study.complete(mirror))
        assert len(line.requests) > len(faults)
    assert_is_the_study(study, client, tmp_path / "down")


def made_through(server, study, fault):
    """Mirror a study over a line with a fault; return how many more runs were made than there should be."""
    with Proxy(server.port, fault) as line:
        mirror = study.mirror(line.uri)
        until_done(lambda: study.complete(mirror))
        made = sum(path.endswith("runs/create") for _, path in line.requests)
    return made - (1 + len(study.plan.variants) + len(study.runs))


def test_a_run_whose_answer_was_lost_is_found(server, client, synthetic, tmp_path):
    study = synthetic()
    study.finish_all()
    left = ["lose", "lose"]
    more = made_through(server, study, lambda _, path: left.pop() if left and path.endswith("runs/create") else None)
    assert (more, left) == (0, [])
    assert_is_the_study(study, client, tmp_path / "down")


def test_a_run_that_was_made_later_than_anybody_waited_is_taken_away(server, client, synthetic, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    study, asked_again = synthetic(), threading.Event()
    study.finish_all()
    asked = []

    def fault(method, path):
        if path.endswith("runs/create"):
            asked.append(path)
            if len(asked) == 1:
                return "late", asked_again
            asked_again.set()

    assert made_through(server, study, fault) == 1
    assert_is_the_study(study, client, tmp_path / "down")


@pytest.mark.parametrize("which", ["runs/search", "/"], ids=["list", "each"])
def test_answers_that_look_empty_are_not_believed(which, server, client, synthetic, tmp_path):
    """MLflow's client takes an answer without content for one that says nothing, such as that there are no runs."""
    study, seen = synthetic(), Counter()

    def first_of_its_kind(method, path):
        kind = re.sub("[0-9a-f]{32}", "", path)
        seen[kind] += 1
        return "behead" if seen[kind] == 1 and which in path else None

    with Proxy(server.port) as line:
        study.finish(study.runs[0])
        study.mirror(line.uri).sync()
        there = active_runs(client, study.plan.name).keys()
        study.finish_all()
        line.fault = first_of_its_kind
        mirror = study.mirror(line.uri)
        until_done(lambda: study.complete(mirror))
    assert active_runs(client, study.plan.name).keys() > there
    assert_is_the_study(study, client, tmp_path / "down")


def test_what_a_pass_asks_of_the_server(server, client, synthetic, tmp_path):
    counted = {}
    for seeds in (1, 2):
        study = synthetic(f"results{seeds}", f"costs-{seeds}", seeds)
        study.finish_all()
        with Proxy(server.port) as line:
            mirror = study.mirror(line.uri)
            mirror.sync()
            counted[seeds] = len(line.requests)
            for _ in range(5):
                assert mirror.sync()
            assert len(line.requests) == counted[seeds], "a pass without news asks nothing"
        assert len(active_runs(client, study.plan.name)) == 1 + 2 + 2 * seeds
    # Made, all points with the parameters, data, two artifacts, ended.
    assert (counted[2] - counted[1]) / 2 == 6
