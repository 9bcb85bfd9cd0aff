"""Networks as their training left them, from the weights of their records, and the images that they saw."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from ablation.data import datasets
from ablation.data.splits import PARTS
from ablation.jobs.lookup import (
    RESULTS,
    NotThereError,
    find_data,
    find_study,
    missing,
    planned_variants,
    read_json,
    trained_runs,
)
from ablation.networks.build import build
from ablation.records.store import LATE, WEIGHTS, NoWeightsError, Store
from ablation.support.references import OwnCodeError
from ablation.training.evaluation import put_on_device


def read_weights(store: Store, key: str, patience: float = LATE) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return a record and the weights of its network.

    Raises
    ------
    KeyError, DamagedRecordError, NewerRecordError
        As `Store.read` does.
    NoWeightsError
        If the run failed, or its weights were freed.
    """
    record = store.read(key, patience)
    if WEIGHTS not in record["files"]:
        of = f"{record.get('variant')}, seed {record.get('seed')}"
        if WEIGHTS in record.get("freed", []):
            raise NoWeightsError(
                f"{of}: its weights were freed (ablation prune --weights); to have them trained again, delete "
                f"{store.folder(key)} and start the study"
            )
        raise NoWeightsError(f"{of}: found no weights: the run ended as {record.get('status')}")
    return record, safetensors.torch.load_file(store.folder(key) / WEIGHTS)


def trained_network(
    record: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    input_shape: tuple[int, int, int],
    classes: int,
    device: torch.device,
) -> nn.Module:
    """Build the network of a record and give it its weights.

    Parameters
    ----------
    record : mapping
        Its `record.json`.
    weights : mapping of str to torch.Tensor
    input_shape : tuple of int
        Channels, height and width in pixels.
    classes : int
    device : torch.device

    Returns
    -------
    torch.nn.Module
        In evaluation mode.

    Raises
    ------
    OwnCodeError
        If the code of today builds another network than that of the record.
    """
    with torch.random.fork_rng(devices=[]):  # the caller keeps the random state
        network = build(record["spec"]["architecture"], tuple(input_shape), classes)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        what = " ".join(str(error).split())
        raise OwnCodeError(
            f"{record['variant']}, seed {record['seed']}: the code that builds it has changed since it was trained; start "
            f"the study to train it again ({what[:200]})"
        ) from None
    return network.to(device).eval()


def load(study: str, variant: str, seed: int = 0, folder: str | Path = RESULTS) -> nn.Module:
    """Return a trained network.

    Parameters
    ----------
    study, variant : str
        Their names, such as ``digits`` and ``vgg-norm.none``.
    seed : int
    folder : str or Path
        Of all results.

    Returns
    -------
    torch.nn.Module
        From images as `images` returns them to logits (n, classes), in evaluation mode, on the CPU.

    Raises
    ------
    NotThereError
        If there is no such study, variant or seed, or it is not trained yet.
    NoWeightsError
        If the run failed, or its weights were freed.
    DamagedRecordError, NewerRecordError
        As `ablation.records.store.Store.read` does.
    OwnCodeError
        If the code of today builds another network.
    """
    place = find_study(study, folder)
    trained, manifest = trained_runs(place), read_json(place / "data.json")
    known = sorted({one for one, _ in trained} | set(planned_variants(place)))
    if variant not in known:
        raise NotThereError(missing("variant", variant, known, f"a variant of {place.name}"))
    seeds = sorted(one for name, one in trained if name == variant)
    if not seeds:
        raise NotThereError(f"{variant} of {place.name} is not trained yet: start the study")
    if seed not in seeds:
        raise NotThereError(f"seed: found {seed!r}, expected one that is trained: {', '.join(map(str, seeds))}")
    try:
        record, weights = read_weights(Store(Path(folder) / "store"), trained[variant, seed], patience=0)
    except KeyError as error:
        raise NotThereError(f"{variant}, seed {seed}: its record {error} is gone: start {place.name} again") from None
    if record["data"] != manifest["digest"]:
        raise NotThereError(
            f"{variant}, seed {seed} was trained on other data than {place.name} has now: start the study"
        )
    return trained_network(record, weights, manifest["shape"], len(manifest["classes"]), torch.device("cpu"))


def images(study: str, part: str = "test", folder: str | Path = RESULTS) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the images of a study as its networks see them, and their labels.

    Parameters
    ----------
    study : str
    part : str
        ``train`` (without augmentation), ``validation`` or ``test``.
    folder : str or Path
        Of all results.

    Returns
    -------
    images : torch.Tensor
        float32 (n, channels, height, width), standardised if the study says so; those of the test in the order of
        `ablation.analysis.frames.Results.predictions`.
    labels : torch.Tensor
        int64 (n,).

    Raises
    ------
    NotThereError
        If there is no such study or part, or the prepared data are gone.
    """
    place = find_study(study, folder)
    if part not in PARTS:
        raise NotThereError(missing("part", part, PARTS, "a part of the data"))
    arrays, stated = datasets.read(find_data(read_json(place / "data.json")["digest"], place))
    found = put_on_device(arrays, stated, torch.device("cpu"), [part])[part]
    return found.images, found.labels
