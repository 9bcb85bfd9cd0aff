"""Checks of metrics of one's own."""

import pytest

from ablation.catalogue.catalogue import OURS
from ablation.catalogue.metrics import METRICS, Metric
from ablation.jobs.partchecks import check_metric

OWN = """
def careless(record, study):
    return record["predictions"].correct.mean()

def careful(record, study):
    return None if record["predictions"] is None else record["predictions"].logits.mean()
"""


def test_a_metric_that_forgets_runs_without_predictions_is_named_with_its_line(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    careful, careless = (
        check_metric(OURS, Metric(name, compute=f"{tmp_path}/own.py:{name}")) for name in ("careful", "careless")
    )
    assert careful == []
    assert len(careless) == 1
    assert (
        "own.py, line 3: it cannot be computed from the record of a diverged run, which has no predictions"
        in careless[0]
    )


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.measure or metric.compute])
def test_our_metrics_pass_the_check_of_ones_own(name):
    assert check_metric(OURS, METRICS[name]) == []
