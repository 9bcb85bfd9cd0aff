"""Two trainings of one run compared: bit by bit, and where machines differ, within rounding and the spread over seeds.

Elsewhere (another device, processor, number of threads or version) the same spec gives other bits, which training
amplifies. What has to agree then is what rounding alone can change little, the loss of the first step; and the final values,
which become another draw of the variant's spread over seeds: they have to lie in its prediction interval.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import safetensors

from ablation.records.certificate import CONSISTENT, DIFFERENT, EQUAL, UNJUDGED
from ablation.records.environment import differences
from ablation.records.predictions import LOGITS
from ablation.records.runs import WITHOUT_VALUE, RunRecord
from ablation.records.store import DIAGNOSTICS, FAILED, PREDICTIONS, WEIGHTS, Store
from ablation.statistics.estimates import prediction_interval

TIMES = ("seconds", "time", "train_seconds")  # what no two trainings have in common
# Relative difference of the first step's loss that rounding explains, by the recipe's precision.
ROUNDING = {"float32": 1e-4}
COARSE = 1e-2  # of every other precision: bfloat16 has 8 bits
CONFIDENCE = 0.99  # of the interval for another training elsewhere


@dataclass(frozen=True)
class Comparison:
    """What two trainings of a run have in common.

    Attributes
    ----------
    outcome : str
        One of `ablation.records.certificate.OUTCOMES`.
    why : str
        What was compared or differs, for people.
    epoch : int or None
        The first one whose curves differ.
    """

    outcome: str
    why: str
    epoch: int | None = None


def first_difference(rows: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the first epoch in which two curves differ, times apart, or that one of them has not; None if there is none."""
    for number in range(max(len(rows), len(others))):
        pair = [untimed(curves[number]) if number < len(curves) else None for curves in (rows, others)]
        if pair[0] != pair[1]:
            return number + 1
    return None


def untimed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the times."""
    return {name: value for name, value in values.items() if name not in TIMES}


def unequal(one: RunRecord, other: RunRecord, stores: tuple[Store, Store]) -> Iterator[str]:
    """Name what differs between two records of a run, bit by bit; weights that were freed are not compared."""
    record, again = one.content, other.content
    for name in ("status", "first_loss"):
        if name in record and record[name] != again.get(name):
            yield f"{name.replace('_', ' ')} ({record[name]}, now {again.get(name)})"
    if first_difference(record["curves"], again["curves"]):
        yield "curves"
    if untimed(record["metrics"]) != untimed(again["metrics"]):
        yield "metrics"
    if record["status"] == again["status"] == FAILED and reason(record) != reason(again):
        yield f"error ({record['error']['type']}, now {again['error']['type']})"
    folders = [store.folder(record["key"]) for store in stores]
    for name, label in ((WEIGHTS, "weights"), (PREDICTIONS, "predictions")):
        if name in record["files"] and name in again["files"]:
            mine, theirs = (tensors((folder / name).read_bytes()) for folder in folders)
            shared = {LOGITS} - (set(mine) & set(theirs))  # a study may keep them, or not: that is no part of the run
            if {**mine, **dict.fromkeys(shared)} != {**theirs, **dict.fromkeys(shared)}:
                yield label
    if DIAGNOSTICS in record["files"] and record["files"][DIAGNOSTICS] != again["files"].get(DIAGNOSTICS):
        yield "diagnostics"


def reason(record: Mapping[str, Any]) -> tuple[str, str]:
    """Return in what the error of a failed run is the same again."""
    return record["error"]["type"], record["error"]["message"]


def tensors(content: bytes) -> dict[str, Any]:
    """Return type, shape and bytes of the tensors of a safetensors file, by name."""
    return {
        name: (state["dtype"], tuple(state["shape"]), bytes(state["data"]))
        for name, state in safetensors.deserialize(content)
    }


def compare(one: RunRecord, other: RunRecord, stores: tuple[Store, Store], peers: Iterable[RunRecord]) -> Comparison:
    """Compare a record with what training it again gave.

    Parameters
    ----------
    one, other : RunRecord
        The record, and that of the second training.
    stores : tuple of Store
        Where they lie.
    peers : iterable of RunRecord
        All records of the same variant, this one included; read only if the bits differ.
    """
    found = list(unequal(one, other, stores))
    if not found:
        parts = [
            name for name, file in (("weights", WEIGHTS), ("predictions", PREDICTIONS)) if file in one.content["files"]
        ]
        freed = ["the weights were freed"] if WEIGHTS in one.content.get("freed", []) else []
        return Comparison(EQUAL, "; ".join([", ".join([*parts, "curves"]), *freed]))
    epoch = first_difference(one.content["curves"], other.content["curves"])
    where = f"from epoch {epoch} on" if epoch else "after equal curves"
    elsewhere = differences(one.content["environment"], other.content["environment"])
    if not elsewhere:
        return Comparison(DIFFERENT, f"{where}: {', '.join(found)}", epoch)
    outcome, why = judge(one.content, other, list(peers))
    return Comparison(outcome, f"trained elsewhere ({'; '.join(elsewhere)}), {where}: {why}", epoch)


def judge(record: Mapping[str, Any], other: RunRecord, peers: Sequence[RunRecord]) -> tuple[str, str]:
    """Judge a training elsewhere: its first step, then its final values by the spread over the variant's seeds."""
    first, said = first_step(record, other.content)
    if not first:
        return DIFFERENT, said
    status = other.content["status"]
    if status in WITHOUT_VALUE:
        count = sum(peer.content["status"] == status for peer in peers)
        seen = f"{said}; it {status}, as {count} of the variant's {len(peers)} records"
        return (CONSISTENT if count else DIFFERENT), seen
    values = [final_values(peer) for peer in peers if peer.content["status"] not in WITHOUT_VALUE]
    if not values:
        return DIFFERENT, f"{said}; it ends as {status}, and no record of the variant has a value"
    if len(values) < 2:
        return UNJUDGED, f"{said}; one seed has no spread to judge the final values by"
    inside, texts = True, []
    for name, value in final_values(other).items():
        known = [one[name] for one in values]
        low, high = prediction_interval(known, CONFIDENCE, least=resolution(name, other))
        inside &= low <= value <= high
        texts.append(f"{name} {value:.4g} {'in' if low <= value <= high else 'outside'} [{low:.4g}, {high:.4g}]")
    return (CONSISTENT if inside else DIFFERENT), f"{said}; {', '.join(texts)} of {len(values)} seeds"


def first_step(record: Mapping[str, Any], again: Mapping[str, Any]) -> tuple[bool, str]:
    """Say whether the loss of the first step is equal but for rounding, and in words; what is not known counts as equal."""
    was, now = record.get("first_loss"), again.get("first_loss")
    if draws_on_device(record) and record["environment"].get("device") != again["environment"].get("device"):
        return True, "the first step draws other numbers on another device"
    if was is None or now is None:
        return True, "the loss of the first step is not known"
    bound = ROUNDING.get(record["spec"]["recipe"].get("precision", "float32"), COARSE)
    same = abs(was - now) <= bound * max(1.0, abs(was))
    return same, f"first step's loss {now:.7g} {'equals' if same else 'is not'} {was:.7g} within {bound:g}"


def draws_on_device(record: Mapping[str, Any]) -> bool:
    """Say whether a step of a run draws random numbers on its device: for augmentation or dropout."""
    spec = record["spec"]
    dropping = [value for name, value in spec["architecture"]["arguments"].items() if "dropout" in name]
    return bool(spec["code"]["augmentation"]) or any(dropping)


def final_values(run: RunRecord) -> dict[str, float]:
    """Return what a training is judged by: the test accuracy, and the training loss of the last epoch in nats."""
    return {"test accuracy": float(run.correct.mean()), "training loss": run.content["curves"][-1]["train_loss"]}


def resolution(name: str, run: RunRecord) -> float:
    """Return the smallest spread of a final value that is believed: an accuracy cannot differ by less than an image."""
    return 1 / len(run.correct) if name == "test accuracy" else ROUNDING["float32"]
