from ablation.support import digests


def test_digest_does_not_depend_on_the_order_of_keys():
    assert digests.digest({"a": 1, "b": [1, 2]}) == digests.digest({"b": [1, 2], "a": 1})
    assert digests.digest({"a": 1}) != digests.digest({"a": 1.5})
