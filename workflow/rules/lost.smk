"""
What was lost or damaged since it was made, found while the workflow is read and without changing a file.

NEEDS: common.smk, and the seals that the rules name
GIVES: LOST, by which Snakemake makes it again (remake_what_is_lost)
"""

from ablation.data.manifests import stated_digest
from ablation.jobs.results import lost, outdated
from ablation.jobs.starts import (
    MisplacedError,
    is_other,
    listed,
    lost_of,
    refuse_misplaced,
)
from ablation.records.seen import recall
from ablation.records.store import NewerRecordError, Store
from ablation.support.formatting import plural
from ablation.support.seals import damaged_files
from ablation.tracking.address import receipt_is_stale


def of_the_store(find):
    """Return a function that compares a shard's result with the store; records of a newer version end the start."""

    def compare(result):
        try:
            return find(result, Store(Path(modified(f"{RESULTS}/store"))))
        except NewerRecordError as error:
            refuse(error)

    return compare


def lost_data(receipt):
    """Name the prepared data of a receipt if they are gone, damaged as far as sizes show, or others."""
    there = stated_digest(Path(modified(f"{RESULTS}/{DATA}")))
    return ["data"] if receipt["digest"] != there else []


def lost_mirror(receipt):
    """Name the mirror of a receipt if it is gone or elsewhere."""
    return ["mirror"] if receipt_is_stale(receipt, Path(modified(RESULTS))) else []


def find_damaged_files():
    """Note what has to be written again, and return a sentence for each file."""
    sentences = []
    folders = [f"{STUDY}/{name}/any" for name in ("start", "logs")]
    refuse_misplaced(Path(modified(path)) for path in [*folders, *seals()])
    for path in seals():
        if damaged := damaged_files(Path(modified(path))):
            refuse_misplaced(damaged)
            LOST.setdefault(path, []).extend(map(str, damaged))
            sentences += [
                f"{file}: missing or damaged; it will be written again"
                for file in damaged
            ]
    return sentences


def find_other_specs():
    """Note the frozen files that say something else than the study, edited or damaged either one, and say how many."""
    texts = frozen_texts().items()
    other = [
        path for path, text in texts if is_other(Path(modified(path)), f"{text}\n")
    ]
    refuse_misplaced(Path(modified(path)) for path in other)
    LOST.update((path, [path]) for path in other)
    more = f" and {plural(len(other) - 1, 'file')} like it" if len(other) > 1 else ""
    first = f"{modified(other[0])}{more}" if other else ""
    return [f"{first}: not what the study asks now; written again"] if other else []


def find_what_is_lost():
    """Note the files that name what is lost, or has failed and is to be tried again, and return a sentence for each."""
    named = [
        (path, of_the_store(lost), "missing or damaged", "trained again")
        for path in shard_results(None)
    ]
    named += [
        (path, of_the_store(outdated), "tried again by another study", "written again")
        for path in shard_results(None)
    ]
    named += [
        (RECEIPT, lost_data, "missing or damaged", "prepared again"),
        (MIRRORED, lost_mirror, "missing or damaged", "made again"),
    ]
    if RETRY_FAILED:
        named += [
            (path, failed_records, "failed before", "tried again")
            for path in shard_results(None)
        ]
        named += [(UNMEASURED, list, "could not be measured", "tried again")]
        if OUTLINE.controls and lost_of(Path(modified(UNMEASURED)), list):
            LOST[ANSWERS] = []  # a control of what could not be built is none
        named += [
            (path, failed_measures, "could not be measured", "tried again")
            for path in measured_results(None)
        ]
    sentences = []
    for path, find, what, remedy in named:
        if names := lost_of(Path(modified(path)), find):
            LOST.setdefault(path, []).extend(names)
            sentences.append(
                f"{modified(path)}: {what}: {', '.join(names)}; it will be {remedy}"
            )
    return sentences


if workflow.is_main_process:
    try:
        recall(Path(modified(SEEN_RECORDS)))
        tell(listed([*find_what_is_lost(), *find_damaged_files(), *find_other_specs()]))
    except MisplacedError as error:
        refuse(error)
