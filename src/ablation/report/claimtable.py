"""The verdicts of a study as a table for people and for papers: one row per claim and test."""

import pandas as pd

from ablation.analysis.outcomes import EQUIVALENT, ClaimOutcome, ClaimTestOutcome, Outcomes
from ablation.report import latex
from ablation.report.verdicts import correction_words, counts_words, effect_words

EFFECT, P = "effect [interval]", "p (adjusted)"
WRAPPED = {
    "claim": 0.14,
    "contrast": 0.23,
    "metric": 0.12,
    EFFECT: 0.19,
}  # share of the line that a column of texts has
SMALLEST_P = 0.001  # below which a p-value is only said to be


def claim_table(found: Outcomes) -> pd.DataFrame:
    """Write the verdicts for people: every cell as text.

    The p-value is that which decides: of no difference or, for claims and verdicts of equivalence, of a difference of the
    margin or more.
    """
    rows = [
        {
            "claim": f"{claim.claim} (exploratory)" if claim.exploratory else claim.claim,
            "contrast": f"{test.architecture}, {test.compared}",
            "metric": claim.label,
            EFFECT: effect_words(claim, test),
            P: p_text(deciding_p(claim, test)),
            "verdict": test.verdict,
        }
        for claim in found.claims
        for test in claim.tests
    ]
    return pd.DataFrame(rows, columns=[*WRAPPED, P, "verdict"], dtype=object)


def deciding_p(claim: ClaimOutcome, test: ClaimTestOutcome) -> float | None:
    """Return the adjusted p-value that decides a test; None where there is none."""
    of_equivalence = claim.direction == "equivalent" or test.verdict == EQUIVALENT
    return test.equivalence_p_adjusted if of_equivalence else test.p_adjusted


def p_text(p: float | None) -> str:
    """Write a p-value with two significant digits; a dash where there is none."""
    if p is None:
        return "–"
    return f"< {SMALLEST_P:g}" if p < SMALLEST_P else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def claim_caption(found: Outcomes) -> str:
    """Write the caption of the table of verdicts."""
    return (
        f"{counts_words(found) or 'No claims'}; {correction_words(found)}. Effects with the interval that the correction "
        "leaves each test; p of no difference or, where the claim or the verdict is equivalence, of a difference of the "
        "margin or more. Exploratory is a claim that was not registered before its runs."
    )


def to_markdown(found: Outcomes) -> str:
    """Write the verdicts as Markdown."""
    table = claim_table(found)
    align = ["right" if name == P else "left" for name in table]
    return f"{table.to_markdown(index=False, colalign=align, disable_numparse=True)}\n\n{claim_caption(found)}\n"


def to_latex(found: Outcomes) -> str:
    """Write the verdicts as LaTeX (package booktabs)."""
    return latex.to_latex(claim_table(found), claim_caption(found), f"tab:{found.study}-claims", ["verdict"], WRAPPED)
