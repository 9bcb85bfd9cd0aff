"""Verdicts of a study that nobody trained, in the shape of `verdicts.json`."""

EMPTY = ("p", "p_adjusted", "equivalence_p", "equivalence_p_adjusted", "equivalence_low", "equivalence_high")
EMPTY += ("seeds_effect_low", "seeds_effect_high", "image_share", "permutation_p", "permutation_p_smallest")
EMPTY += tuple(f"{name}_{part}" for name in ("failures", "completed") for part in ("effect", "low", "high"))


def a_test(verdict="supported", **given):
    """A test of a claim; what is not given is as if nothing were to be said of it."""
    cells = [
        {"variant": name, "weight": weight, "n": 5, "diverged": 0, "stuck": 0, "mean": 0.5, "sd": 0.01}
        for name, weight in (("lenet", 1.0), ("lenet-activation.sigmoid", -1.0))
    ]
    found = {"architecture": "lenet", "kind": "difference", "compared": "activation: relu − sigmoid", "cells": cells}
    found |= {
        "effect": 0.04,
        "low": 0.03,
        "high": 0.05,
        "low_adjusted": 0.02,
        "high_adjusted": 0.06,
        "confidence": 0.99,
    }
    found |= {"magnitude": None, "seeds_needed": None, "verdict": verdict, "differs": True, "why": ""}
    return {**dict.fromkeys(EMPTY), **found, **given}


def a_claim(*tests, **given):
    """A claim with its tests."""
    said = {"claim": "relu-better", "statement": "ReLU is better.", "source": "notes", "metric": "test_accuracy"}
    said |= {"label": "test accuracy", "unit": "%", "scale": 100, "digits": 2, "direction": "greater", "margin": 0.01}
    return {**said, "registered": "2026-11-22T09:00:00+00:00", "exploratory": "", "tests": list(tests), **given}


def verdicts_of(*claims):
    """The content of `verdicts.json`."""
    head = {"format": 1, "study": "s", "title": "t", "question": "q", "correction": "holm", "alpha": 0.05}
    return {**head, "family": sum(len(claim["tests"]) for claim in claims), "claims": list(claims)}
