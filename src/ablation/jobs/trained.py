"""Networks as their training left them, from the weights of their records."""

from collections.abc import Mapping
from typing import Any

import safetensors.torch
import torch
from torch import nn

from ablation.networks.build import build
from ablation.records.store import LATE, WEIGHTS, NoWeightsError, Store
from ablation.support.references import OwnCodeError


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
