import pytest

from ablation.support import digests

SOURCE = 'def f(x):\n    """Say."""\n    return x + 1  # why\n'


@pytest.mark.parametrize(
    "same",
    [
        'def f(x):\n    """Say it otherwise."""\n    return x + 1\n',
        "def f( x ):\n\n    return (x + 1)\n",
        '"""A module."""\n\n\ndef f(x):\n    # because\n    return x + 1\n',
    ],
)
def test_comments_docstrings_and_layout_do_not_count(same):
    assert digests.normalise(same) == digests.normalise(SOURCE)


@pytest.mark.parametrize("other", [SOURCE.replace("1", "2"), SOURCE.replace("x", "y"), SOURCE + "f(1)\n"])
def test_code_counts(other):
    assert digests.normalise(other) != digests.normalise(SOURCE)


def test_digest_does_not_depend_on_the_order_of_keys():
    assert digests.digest({"a": 1, "b": [1, 2]}) == digests.digest({"b": [1, 2], "a": 1})
    assert digests.digest({"a": 1}) != digests.digest({"a": 1.5})


def imported(root):
    found, pending = set(), [root]
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += digests._module(name)[1]
    return found


def test_training_depends_on_nothing_that_makes_no_record():
    assert imported("ablation.training.run") - {"ablation.networks"} == {
        f"ablation.{name}"
        for name in (
            *("training.run", "training.diagnostics", "training.recipe", "support.randomness", "networks.build"),
            *(f"networks.{name}" for name in ("initialisation", "kit", "norms", "shortcuts", "pooling", "heads")),
        )
    }


def test_an_architecture_does_not_depend_on_another():
    assert not {name for name in imported("ablation.networks.families.lenet") if "densenet" in name or "resnet" in name}
