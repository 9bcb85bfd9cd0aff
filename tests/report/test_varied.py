"""What a study varies, and the parts of its author's own, as the report lists them."""

from pathlib import Path

from ablation.report.varied import own_parts, varied
from ablation.study.studyfile import read_study

STUDIES = Path(__file__).parents[2] / "config/studies"
PARTS = """\
LEVELS = {"activation": {"mish": {"make": "torch.nn:Mish", "text": "x tanh(softplus(x))."}}}
METRICS = {"confidence": {"label": "confidence", "measure": "confidence"}}


def confidence(network, images, labels):
    return network(images).softmax(1).max(1).values.mean()
"""
STUDY = """\
title: A title
question: A question?
parts: [parts.py]
data: {name: digits}
recipe: {epochs: 1, batch_size: 64, lr: 0.1}
architectures: {lenet: {baseline: {activation: relu}}}
grid:
  - factors: {activation: [mish], width: [3, 12], lr: [0.2]}
seeds: 1
metrics: [confidence]
smallest_effect: 0.01
"""


def test_levels_stand_in_order_and_those_that_share_a_sentence_share_a_row(tmp_path):
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "own.yaml").write_text(STUDY)
    plan = read_study(tmp_path / "own.yaml")
    rows = [(row.factor, row.level) for row in varied(plan)]
    assert rows == [("activation", "relu"), ("activation", "mish"), ("lr", "0.1, 0.2"), ("width", "6, 3, 12")]
    file = str(tmp_path / "parts.py")
    assert [(row.factor, row.level, row.file) for row in own_parts(plan)] == [
        ("level", "activation: mish", file),
        ("metric", "confidence", file),
    ]


def test_a_study_of_ours_has_no_parts_of_its_own_and_says_what_each_level_is():
    for path in STUDIES.glob("*.yaml"):
        plan = read_study(path)
        assert own_parts(plan) == []
        assert {row.factor for row in varied(plan)} == set(plan.factors)
        assert all(row.text for row in varied(plan))
