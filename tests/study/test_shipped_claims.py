"""Every claim of the study notes that an experiment can test is one of a study that comes with the program."""

import re

import pytest
from workspace import ROOT

from ablation.study.studyfile import read_study

NOTES = re.findall(
    r"\S+",
    """
relu-faster relu-better sigmoid-vanishes lenet-linear max-over-avg overlap-helps overlap-idle dropout-regularises
augment-robust decay-regularises init-matters lrn-helps lrn-idle depth-helps narrow-deep small-kernels vgg-warm-start
nin-mlpconv gap-fewer gap-accurate gap-shift nin-slower inception-mix inception-cheap inception-factor bn-faster
bn-robust-init bn-gradient bn-regularises bn-batch-size degradation degradation-with-bn residual-cures
residual-gradient bottleneck-cheap join-placement dense-efficient dense-reuse growth-rate transition-compresses
""",
)
KINDS = {
    "bn-robust-init": "interaction",
    "bn-batch-size": "interaction",
    "growth-rate": "trend",
    "depth-helps": "trend",
}
SMALL = [
    path for path in sorted((ROOT / "config/studies").glob("*.yaml")) if path.with_stem(f"{path.stem}_full").exists()
]


@pytest.fixture(scope="module", name="claims")
def find_claims():
    plans = [read_study(path) for path in SMALL]
    return {name: (plan.study.claims[name], test) for plan in plans for name, test in plan.claims}


@pytest.mark.parametrize("name", NOTES)
def test_a_claim_of_the_notes_is_asked_by_a_study_of_the_shape_that_it_has(claims, name):
    claim, test = claims[name]
    assert test.kind == KINDS.get(name, "difference")
    assert (claim.direction == "equivalent") == name.endswith("-idle")


@pytest.mark.parametrize("small", SMALL, ids=lambda path: path.stem)
def test_a_study_and_its_full_form_say_the_same_of_what_both_claim(small):
    plans = [read_study(path) for path in (small, small.with_stem(f"{small.stem}_full"))]
    for name in plans[0].study.claims.keys() & plans[1].study.claims.keys():
        first, second = (plan.study.claims[name] for plan in plans)
        assert (first.direction, first.factor, first.outcome) == (second.direction, second.factor, second.outcome), name
