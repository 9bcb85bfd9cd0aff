"""The link that opens MLflow's table of the variants: its filter, its order and its columns are those that are meant."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from mirrored import Synthetic
from mlflow.tracking import MlflowClient

from ablation.tracking import view
from ablation.tracking.address import Address


def opened(uri, address):
    """The runs that the UI shows for a link, in their order, and the columns; as MLflow's UI reads it."""
    place = urlsplit(urlsplit(address).fragment)
    experiment, asked = place.path.split("/")[2], {name: value for name, (value,) in parse_qs(place.query).items()}
    client = MlflowClient(tracking_uri=uri)
    saved = json.loads(client.get_experiment(experiment).tags[f"mlflow.sharedViewState.{asked['viewStateShareKey']}"])
    state = json.loads(saved["state"])
    assert not set(asked) & set(state), "the UI would leave the view alone"
    order = f"{state['orderByKey']} {'ASC' if state['orderByAsc'] else 'DESC'}"
    return client.search_runs([experiment], state["searchFilter"], order_by=[order]), state


def complete(study, uri):
    mirror = study.mirror(uri)
    study.complete(mirror)
    return view.link(f"http://host:5000/{study.plan.name}/", mirror.ledger.experiment)


def test_a_link_opens_the_variants_best_first_with_their_columns(study, uri):
    study.finish_all()
    address = complete(study, uri)
    assert address.startswith(f"http://host:5000/{study.plan.name}/#/experiments/")
    found, state = opened(uri, address)
    shown = [(run.data.tags["variant"], run.data.metrics["test_accuracy_mean"]) for run in found]
    assert sorted(name for name, _ in shown) == sorted(study.plan.variants)
    assert shown == sorted(shown, key=lambda row: -row[1])
    there = {f"metrics.`{name}`" for run in found for name in run.data.metrics}
    there |= {f"tags.`{name}`" for run in found for name in run.data.tags}
    missing = set(state["selectedColumns"]) - there
    # Two runs of which one diverged, so that each side has an interval; the effect's bounds are there, too.
    assert missing <= {"metrics.`test_accuracy_mean.low`", "metrics.`test_accuracy_mean.high`"} | {
        f"metrics.`effect.test_accuracy{end}`" for end in (".low", ".high")
    }
    assert {"metrics.`test_accuracy_mean`", "tags.`verdict.tanh-better`"} <= set(state["selectedColumns"]) - missing
    assert state["columnOrder"][2:] == state["selectedColumns"]


def test_the_order_is_that_of_the_metric_and_variants_of_before_are_left_out(study, uri):
    study.finish_all()
    complete(study, uri)
    edits = {"tanh": "silu", "seeds: 2": "seeds: 2\nmetrics: [test_loss]"}
    later = Synthetic(study.results, study.plan.name, edits=edits)
    later.finish_all()
    found, state = opened(uri, complete(later, uri))
    assert state["orderByKey"] == "metrics.`test_loss_mean`"
    assert state["orderByAsc"], "less loss is better"
    assert {run.data.tags["variant"] for run in found} == {"lenet", "lenet-activation.silu"}


@pytest.mark.parametrize(
    ("public", "place"), [("https://host/x", "https://host/x/#/exp"), ("sqlite:///a.db", "/#/exp")]
)
def test_links_of_servers_are_whole(public, place):
    assert view.link(public, "7") == f"{place}eriments/7/runs?workflowType=machine_learning&viewStateShareKey=variants"


def test_studies_of_an_address_are_found_however_the_folder_is_written(tmp_path, monkeypatch):
    def ledger(name, uri, experiment):
        path = tmp_path / "results" / name / "mlflow-ledger.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"uri": uri, "experiment": experiment}) + "\n")

    ledger("b", "sqlite:///results/mlflow.db", "2")
    ledger("a", f"sqlite:///{tmp_path}/results/mlflow.db", "1")
    ledger("other", "https://host", "3")
    (tmp_path / "results" / "cut").mkdir()
    (tmp_path / "results" / "cut" / "mlflow-ledger.jsonl").write_text('{"uri": "sqlite:///resu')
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path / "results", (tmp_path / "results").relative_to(tmp_path)):
        assert [*view.experiments(Address.of(folder, {}), folder)] == [("a", "1"), ("b", "2")]
        there = Address.of(folder, {"MLFLOW_TRACKING_URI": "https://me:secret@host"})
        assert [*view.experiments(there, folder)] == [("other", "3")]
