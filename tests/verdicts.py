"""Verdicts of a study that nobody trained."""

from dataclasses import fields

from ablation.analysis.outcomes import CellOutcome, ClaimOutcome, ClaimTestOutcome, Outcomes

UNKNOWN = dict.fromkeys(field.name for field in fields(ClaimTestOutcome))


def a_cell(weight, **given):
    """A variant of a test: five runs, all completed."""
    return CellOutcome(
        **{"variant": "lenet", "weight": weight, "n": 5, "diverged": 0, "stuck": 0, "mean": 0.5, "sd": 0.01, **given}
    )


def a_test(verdict="supported", **given):
    """A test of a claim; what is not given is as if nothing were known of it."""
    found = {"architecture": "lenet", "kind": "difference", "compared": "activation: relu − sigmoid"}
    found |= {"cells": (a_cell(1.0), a_cell(-1.0)), "effect": 0.04, "low_adjusted": 0.02, "high_adjusted": 0.06}
    return ClaimTestOutcome(**{**UNKNOWN, **found, "verdict": verdict, "differs": True, "why": "", **given})


def a_claim(*tests, **given):
    """A claim with its tests."""
    said = {"claim": "relu-better", "statement": "ReLU is better.", "source": "notes", "metric": "test_accuracy"}
    said |= {"label": "test accuracy", "unit": "%", "scale": 100, "digits": 2, "direction": "greater", "margin": 0.01}
    return ClaimOutcome(
        **{**said, "registered": "2026-11-22T09:00:00+00:00", "exploratory": "", "tests": tests, **given}
    )


def verdicts_of(*claims):
    """The verdicts of a study."""
    head = {"study": "s", "title": "t", "question": "q", "correction": "holm", "alpha": 0.05}
    return Outcomes(**head, family=sum(len(claim.tests) for claim in claims), claims=claims)
