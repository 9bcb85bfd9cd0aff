"""Metrics that need another forward pass: measured on trained networks, from the weights of their records."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ablation.jobs.devices import pick_device
from ablation.jobs.trained import read_weights, trained_network
from ablation.records.runs import WITHOUT_VALUE
from ablation.records.store import Store
from ablation.support.failures import is_of_the_machine
from ablation.support.randomness import stream_seed
from ablation.support.references import OwnCodeError, own_code, resolve
from ablation.training.evaluation import Part, number, put_on_device
from ablation.training.run import be_deterministic


@torch.no_grad()
def measure(
    network: nn.Module, test: Part, measures: Mapping[str, str], seed: int
) -> tuple[dict[str, float | None], dict[str, str]]:
    """Measure a trained network.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode.
    test : Part
        The test images.
    measures : mapping of str to str
        Each metric with the reference to what measures it.
    seed : int
        Of the run: what a metric draws follows from it.

    Returns
    -------
    found : dict of str to float or None
        None for what is not finite, and where code of the author's own failed.
    errors : dict of str to str
        Why it failed, by metric: the network stays as it is, and so do all other metrics.

    Raises
    ------
    OwnCodeError
        If it failed for want of memory or another fault of the machine.
    """
    found, errors = {}, {}
    for name, reference in measures.items():
        torch.manual_seed(stream_seed(seed, "measure", name))
        try:
            with own_code(reference, f"{name} cannot be measured"):
                found[name] = number(float(resolve(reference)(network, test.images, test.labels)))
        except OwnCodeError as error:
            if is_of_the_machine(error):
                raise
            found[name], errors[name] = None, str(error)
    return found, errors


def measure_shard(
    result: Mapping[str, Any],
    measures: Mapping[str, str],
    arrays: Mapping[str, np.ndarray],
    manifest: Mapping[str, Any],
    store: Store,
    gpu: bool,
) -> list[dict[str, Any]]:
    """Measure the trained networks of a shard.

    Parameters
    ----------
    result : mapping
        The shard's result, as `ablation.jobs.results.shard_result` returns it.
    measures : mapping of str to str
        Each metric with the reference to what measures it.
    arrays, manifest : mapping
        The prepared data, as `ablation.data.datasets.read` returns them.
    store : Store
    gpu : bool
        Whether a GPU of this machine is used.

    Returns
    -------
    list of dict
        Of each run ``variant``, ``seed``, ``key``, and ``metrics`` and ``errors`` as `measure` returns them; the metrics
        are None for a run that diverged or failed.

    Raises
    ------
    NoWeightsError
        If the weights of a run were freed.
    OwnCodeError
        If the code of today builds another network than that of a record.
    """
    be_deterministic()
    rows = []
    with pick_device(gpu) as device:
        test = put_on_device(arrays, manifest, device, ["test"])["test"]
        for run in result["runs"]:
            row = {
                **{name: run[name] for name in ("variant", "seed", "key")},
                "metrics": dict.fromkeys(measures),
                "errors": {},
            }
            if run["status"] not in WITHOUT_VALUE:
                record, weights = read_weights(store, run["key"])
                network = trained_network(record, weights, manifest["shape"], len(manifest["classes"]), device)
                row["metrics"], row["errors"] = measure(network, test, measures, run["seed"])
            rows.append(row)
    return rows
