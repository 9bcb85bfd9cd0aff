"""The circumstances of a study's results, in words: how much was trained, on what data, by which machines and versions."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ablation.data.manifests import describe_identical
from ablation.records.certificate import has_different, said
from ablation.records.environment import KIND
from ablation.records.store import FAILED
from ablation.report.inputs import StudyTables
from ablation.report.tables import FAILURES
from ablation.study.plan import Plan
from ablation.support.accounting import Start, describe, score
from ablation.support.formatting import count

NONE = "none: no run of this study has been trained again to see whether it comes out the same (ablation certify)"


def facts(tables: StudyTables, manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """State the size of a study: pairs of a name and a value.

    Parameters
    ----------
    tables : StudyTables
    manifest : mapping
        Of the prepared data.
    """
    study, runs, counts = tables.plan.study, tables.runs, manifest["counts"]
    status = runs["status"].value_counts()
    return [
        ("runs", f"{len(runs):,}"),
        ("variants", f"{len(tables.plan.variants):,}"),
        ("seeds each", f"{len(study.seeds)}"),
        ("data", f"{study.data.name}, {counts['train']:,} / {counts['validation']:,} / {counts['test']:,} images"),
        (
            "failures",
            ", ".join(f"{status.get(name, 0)} {name}" for name in FAILURES if name != FAILED or name in status),
        ),
        ("training", f"{_seconds(runs) / 60:.1f} min in all"),
    ]


def provenance(
    tables: StudyTables, manifest: Mapping[str, Any], certificate: Mapping[str, Any] | None = None
) -> list[tuple[str, str]]:
    """State where a study's data and results come from and what they cost: pairs of a name and a value.

    Parameters
    ----------
    tables : StudyTables
    manifest : mapping
        Of the prepared data.
    certificate : mapping, optional
        As `ablation.records.certificate.read_certificate` returns it.
    """
    study, runs, counts = tables.plan.study, tables.runs, manifest["counts"]
    # A backward pass costs about twice a forward pass.
    multiply_adds = 3 * counts["train"] * (runs["multiply_adds"] * runs["epochs"]).sum()
    return [
        ("study", tables.plan.name),
        ("data", f"{study.data.name}, digest {manifest['digest']}; split seed {study.data.split_seed}"),
        ("source of the images", manifest["source"]),
        (
            "images",
            f"{counts['train']:,} for training, {counts['validation']:,} for validation, {counts['test']:,} for the test",
        ),
        *_identical_images(manifest),
        ("test set", "read once per run, after its last epoch; nothing was chosen by it"),
        (
            "training and evaluation",
            f"{_seconds(runs):.0f} s over all runs; about {count(multiply_adds)} multiply-adds",
        ),
        *diagnostics_cost(tables.plan, runs),
        ("source", _listed(runs["git"])),
        ("torch", _listed(runs["torch"])),
        ("Python", _listed(runs["python"])),
        ("device", f"{_listed(runs['device'])} ({_listed(runs['processor'])}, {_listed(runs['instructions'])})"),
        ("threads of each training", _listed(runs["threads"])),
        (
            "certificate",
            " ".join(f"{sentence}." for sentence in said(certificate, set(runs["key"]))) if certificate else NONE,
        ),
        (
            "smallest effect of interest",
            f"{tables.plan.smallest_effect:g} ({tables.plan.metrics[study.metrics[0]].label}"
            f"{'' if study.smallest_effect else '; the default of this metric, for the study states none'})",
        ),
    ]


def _identical_images(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say which images stand on both sides of the split; nothing where an older manifest does not know."""
    if "identical" not in manifest:
        return []
    return [("identical images", "; ".join(describe_identical(manifest)) or "none on both sides of the split")]


def warnings(runs: pd.DataFrame, certificate: Mapping[str, Any] | None) -> list[str]:
    """Warn of what makes a study's results depend on more than its specs."""
    different = "Runs came out different when they were trained again: see the certificate."
    return [*filter(None, [mixture(runs)]), *([different] if certificate and has_different(certificate) else [])]


def mixture(runs: pd.DataFrame) -> str:
    """Say in a sentence where the runs of a study differ in machine, threads or versions; empty if they do not."""
    found = []
    for column, name in KIND.items():
        counts = runs[column].dropna().astype(str).value_counts().sort_index()
        if len(counts) > 1:
            found.append(f"{name} ({', '.join(f'{value}: {number}' for value, number in counts.items())})")
    return f"The runs mix {'; '.join(found)}: the same spec may give other bits on each." if found else ""


def diagnostics_cost(plan: Plan, runs: pd.DataFrame) -> list[tuple[str, str]]:
    """Say what the diagnostics of a study cost; nothing if it has none."""
    if not plan.study.diagnostics:
        return []
    seconds, training = runs["diagnostics_seconds"].sum(), runs["training_seconds"].sum()
    epochs = ", ".join(map(str, sorted(plan.study.diagnostics)))
    share = f"{100 * seconds / training:.1f} % of training" if training else "of no training"
    return [("diagnostics", f"{seconds:.1f} s, {share}, and not counted in it (epochs {epochs})")]


def core_seconds(starts: Sequence[Start]) -> list[tuple[str, str]]:
    """Say where the core-seconds of a study went until its report was written, and how good the price was."""
    rows = [("core-seconds", describe(start, start.elapsed, {})) for start in starts if start.work and start.elapsed]
    scored = score(starts)
    return rows + ([("price of the training", scored)] if scored else [])


def _seconds(runs: pd.DataFrame) -> float:
    """Return how long all runs trained and were evaluated."""
    return runs["training_seconds"].sum() + runs["evaluate_seconds"].sum()


def _listed(values: pd.Series) -> str:
    """List the values that occur."""
    return ", ".join(sorted({str(value) for value in values.dropna()})) or "unknown"
