"""Verdicts that nobody computed, in the shape of `verdicts.json`: a claim of every kind and with every outcome."""

from dataclasses import replace

from invented import invented_runs, with_rates

from ablation.analysis.failures import restricted
from ablation.analysis.outcomes import (
    CellOutcome,
    ClaimOutcome,
    ClaimTestOutcome,
    MagnitudeOutcome,
    Outcomes,
    SeedsNeeded,
)

STUDY = """\
title: "What matters in a small LeNet <5>"
question: Do ReLU, batch norm and width matter in a small network, and does one need the other?
data: {name: digits}
recipe: {epochs: 4, batch_size: 64, lr: 0.1}
architectures: {lenet: {baseline: {activation: relu, pooling: max}}}
grid:
  - {factors: {activation: [sigmoid], norm: [batch]}, design: full_factorial}
  - factors: {width: [3, 12, 24]}
metrics: [test_accuracy, train_accuracy, epochs_to_threshold, parameters]
seeds: 3
threshold: 0.5
diagnostics: [0, 4]
smallest_effect: 0.01
claims:
  bn-frees:
    statement: With batch norm, the activation matters less.
    source: notes
    factor: activation
    level: relu
    against: sigmoid
    interaction: {level: {norm: batch}, against: {norm: none}}
    metric: test_accuracy
    direction: less
  wider:
    statement: The wider, the better.
    source: notes
    factor: width
    levels: [3, 6, 12, 24]
    metric: test_accuracy
    direction: greater
"""
BASE, SIGMOID, NORM = "lenet", "lenet-activation.sigmoid", "lenet-norm.batch"
BOTH = "lenet-activation.sigmoid-norm.batch"
WIDTHS = ("lenet-width.3", "lenet", "lenet-width.12", "lenet-width.24")
INTERACTION = {NORM: 1.0, BOTH: -1.0, BASE: -1.0, SIGMOID: 1.0}
UNBUILT = {WIDTHS[2]: 1.0, BASE: -1.0}
TREND = dict(zip(WIDTHS, (-0.6, -0.3, 0.1, 0.8), strict=True))


def runs_of(plan):
    """Runs of which one diverged and two are stuck."""
    return with_rates(invented_runs(plan))


def cells_of(plan, runs, weights, metric):
    """The cells of a test as the runs have them."""
    found = []
    for variant, weight in weights.items():
        own = runs[runs["variant"] == variant]
        values = restricted(plan, own, metric)
        counts = {name: int((own["status"] == name).sum()) for name in ("diverged", "stuck")}
        spread = {"mean": float(values.mean()), "sd": float(values.std(ddof=1))}
        found.append(CellOutcome(variant=variant, weight=weight, n=len(own), **counts, **spread))
    return found


def verdict_of(plan, runs, metric, weights, verdict, kind="difference", half=None, effect=None, **given):
    """A test whose intervals have invented widths around the effect that the runs have."""
    cells = cells_of(plan, runs, weights, metric)
    effect = sum(cell.weight * cell.mean for cell in cells) if effect is None else effect
    half = abs(effect) / 2 if half is None else half
    widths = {"": 1, "adjusted": 1.4, "equivalence": 0.8, "seeds": 0.9, "completed": 1.1}
    ends = {name: (effect - half * width, effect + half * width) for name, width in widths.items()}
    names = {"": "{}", "adjusted": "{}_adjusted", "equivalence": "equivalence_{}", "seeds": "seeds_effect_{}"}
    names["completed"] = "completed_{}"
    found = {names[name].format(end): ends[name][place] for name in names for place, end in enumerate(("low", "high"))}
    failed = {"failures_effect": 0.4, "failures_low": -0.2, "failures_high": 0.8, "completed_effect": effect}
    test = {
        **{"architecture": "lenet", "kind": kind, "compared": " − ".join(weights), "cells": tuple(cells)},
        **{"effect": effect, "effect_least": effect, "effect_most": effect},
        **{"p": 0.012, "p_adjusted": 0.05, "confidence": 0.99, "equivalence_p": 0.3, "equivalence_p_adjusted": 0.6},
        **{"image_share": 0.31, "permutation_p": 0.1, "permutation_p_smallest": 0.1, "magnitude": None, "why": ""},
        **{"seeds_needed": None, "verdict": verdict, "differs": verdict in ("supported", "refuted"), **found, **failed},
    }
    return ClaimTestOutcome(**{**test, **given})


def claim_of(plan, name, metric, direction, *tests, **given):
    """A claim with its tests."""
    shown = plan.metrics[metric]
    stated = {
        **{
            "claim": name,
            "statement": f"The statement of {name}, which says <something> & more.",
            "source": "notes, 1",
        },
        **{"metric": metric, "label": shown.label, "unit": shown.unit, "scale": shown.scale, "digits": shown.digits},
        **{"direction": direction, "margin": plan.margin(metric), "registered": "2026-11-22T09:00:00+00:00"},
        **{"exploratory": "", "tests": tests, **given},
    }
    return ClaimOutcome(**stated)


def invented_verdicts(plan, runs):
    """A claim of every kind, with every outcome, of the study above."""
    nothing = dict.fromkeys(("low", "high", "low_adjusted", "high_adjusted", "p", "p_adjusted", "confidence"))
    nothing |= dict.fromkeys(("equivalence_low", "equivalence_high", "seeds_effect_low", "seeds_effect_high"))
    needed = SeedsNeeded(low=8, high=15, limit=None)
    against, normed = {BASE: 1.0, SIGMOID: -1.0}, {NORM: 1.0, BASE: -1.0}

    def make(metric, weights, verdict, **given):
        return verdict_of(plan, runs, metric, weights, verdict, **given)

    accuracy, time, training = "test_accuracy", "epochs_to_threshold", "train_accuracy"
    images = SeedsNeeded(low=None, high=None, limit="images")
    six_times = MagnitudeOutcome(claimed=6, measured_as="ratio", value=3.2, low=2.1, high=7.4, holds=True)
    why = "1 of 3 runs of lenet-width.12 failed: <error>"
    small, kept = {"effect": 0.005, "half": 0.003}, {"half": 0.3, "seeds_needed": needed}
    claims = [
        ("relu-better", accuracy, "greater", make(accuracy, against, "supported", effect=0.21)),
        ("relu-worse", training, "less", make(training, against, "refuted", effect=0.21)),
        ("norm-helps", accuracy, "greater", make(accuracy, normed, "equivalent", **small, differs=True)),
        ("norm-idle", accuracy, "equivalent", make(accuracy, normed, "supported", **small)),
        ("bn-frees", accuracy, "less", make(accuracy, INTERACTION, "undecided", kind="interaction", **kept)),
        ("wider", accuracy, "greater", make(accuracy, TREND, "undecided", kind="trend", half=0.2, seeds_needed=images)),
        ("calmer", accuracy, "less", make(accuracy, normed, "undecided", kind="spread", effect=0.6, half=0.4)),
        ("faster", time, "less", make(time, against, "supported", effect=-1.7, magnitude=six_times)),
        ("fewer", "parameters", "less", make("parameters", against, "supported", half=0)),
        ("broken", accuracy, "greater", make(accuracy, UNBUILT, "not testable", why=why, **nothing)),
    ]
    found = {name: claim_of(plan, name, *claim) for name, *claim in claims}
    found["relu-worse"] = replace(found["relu-worse"], registered=None, exploratory="its runs were there before")
    found["bn-frees"] = replace(found["bn-frees"], attempt=2)
    found["calmer"] = replace(found["calmer"], margin=None)
    second = make(accuracy, {BOTH: 1.0, SIGMOID: -1.0}, "undecided", effect=0.03, half=0.9)
    found["norm-idle"] = replace(found["norm-idle"], tests=(*found["norm-idle"].tests, second))
    family = sum(len(claim.tests) for claim in found.values() if not claim.exploratory)
    head = {"study": plan.name, "title": plan.study.title, "question": plan.study.question}
    return Outcomes(**head, correction="holm", alpha=0.05, family=family, claims=tuple(found.values()))
