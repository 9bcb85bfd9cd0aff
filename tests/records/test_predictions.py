"""What a record keeps of the test images."""

import numpy as np
import pytest
import torch
from predicted import predictions
from torch.nn import functional

from ablation.records.predictions import Predictions
from ablation.training.evaluation import Part, predict, without_numbers

NUMBERS = np.random.default_rng(0)


def written_and_read(found, folder):
    (folder / "predictions.safetensors").write_bytes(found.to_bytes())
    return Predictions.read(folder / "predictions.safetensors")


@pytest.mark.parametrize("classes", [2, 10, 255, 256, 70_000])
@pytest.mark.parametrize("keep_logits", [True, False])
def test_predictions_read_as_they_were_written(classes, keep_logits, tmp_path):
    logits, labels = NUMBERS.normal(size=(3, classes)), NUMBERS.integers(classes, size=3)
    found = predictions(logits, labels, keep_logits)
    again = written_and_read(found, tmp_path)
    assert again.labels.dtype == np.min_scalar_type(classes)
    assert again.classes == classes
    assert (again.logits is None) == (not keep_logits)
    for name in ("labels", "predicted", "rank", "label_log_probability", "predicted_log_probability", "correct"):
        assert np.array_equal(getattr(again, name), getattr(found, name))


def test_they_are_what_torch_makes_of_the_logits():
    logits, labels = NUMBERS.normal(0, 5, (50, 7)), NUMBERS.integers(7, size=50)
    found, tensor, own = predictions(logits, labels, True), torch.tensor(logits).float(), torch.tensor(labels)
    assert found.predicted.tolist() == tensor.argmax(1).tolist()
    loss = functional.cross_entropy(tensor, own, reduction="none").numpy()
    assert np.array_equal(-found.label_log_probability, loss), "exactly"
    assert np.array_equal(found.predicted_log_probability, functional.log_softmax(tensor, 1).amax(1).numpy())
    for k in range(1, 8):
        among = (tensor.topk(k).indices == own[:, None]).any(1)
        assert (found.rank < k).tolist() == among.tolist()
    assert found.logits.max(1).tolist() == [0.0] * 50
    assert np.allclose(found.logits, logits - logits.max(1, keepdims=True), rtol=2e-3)


def test_of_equal_logits_the_first_class_leads():
    found = predictions([[1, 1, 0], [1, 1, 0], [0, 0, 0]], [0, 1, 2])
    assert found.predicted.tolist() == [0, 0, 0]
    assert found.rank.tolist() == [0, 1, 2]
    assert np.array_equal(found.rank == 0, found.correct)


def test_an_image_without_numbers_counts_as_wrong():
    found = predictions([[float("nan"), 0.0], [0.0, 1.0], [float("inf"), 0.0]], [0, 1, 0])
    assert found.correct.tolist() == [False, True, False]
    assert found.rank.tolist() == [2, 0, 2]
    assert np.isnan(found.label_log_probability).tolist() == [True, False, True]


def test_a_network_without_numbers_gets_nothing_right():
    arrays = {
        name: getattr(predictions([[0, 1.0]], [1], True), name) for name in ("labels", "predicted", "rank", "logits")
    }
    arrays |= dict.fromkeys(("label_log_probability", "predicted_log_probability"), np.zeros(1, np.float32))
    found = Predictions(classes=2, **without_numbers(arrays, 2))
    assert (found.predicted.tolist(), found.rank.tolist(), found.correct.tolist()) == ([2], [2], [False])
    assert found.logits is None


def test_one_pass_predicts_what_batches_would():
    calls = []

    class Network(torch.nn.Module):
        def forward(self, images):
            calls.append((len(images), self.training, torch.is_grad_enabled()))
            return images.flatten(1)[:, :4]

    part = Part(torch.randn(1500, 1, 8, 8), torch.randint(4, (1500,)))
    found = Predictions(classes=4, **predict(Network(), part, 4, keep_logits=True))
    assert calls == [(1024, False, False), (476, False, False)]
    assert found.predicted.tolist() == part.images.flatten(1)[:, :4].argmax(1).tolist()
    assert found.logits.shape == (1500, 4)


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        ("labels", np.array([0, 1], np.int64), "labels: found int64"),
        ("labels", np.array([0, 5], np.uint8), "beyond the 3 classes"),
        ("rank", np.array([0, 4], np.uint8), "beyond the 3 classes"),
        ("rank", np.array([0], np.uint8), r"rank: found uint8 \(1,\)"),
        ("label_log_probability", np.zeros(2), "label_log_probability: found float64"),
        ("logits", np.zeros((2, 4), np.float16), r"logits: found float16 \(2, 4\)"),
        ("classes", -1, "found"),
    ],
)
def test_what_does_not_fit_together_is_refused(entry, value, said):
    found = predictions([[0, 1, 2], [2, 1, 0]], [2, 1])
    with pytest.raises(ValueError, match=said):
        Predictions(**{**vars(found), entry: value})
