"""The defaults of mushin-py 0.16 on the same data: `pip install mushin-py[eval]`, else its columns stay empty."""

import warnings

import numpy as np

try:
    import mushin.benchmark as mushin
    import xarray
except ImportError:
    mushin = None


def compare(accuracies: np.ndarray, test: str | None = None) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Compare methods by their accuracy over seeds.

    Parameters
    ----------
    accuracies : numpy.ndarray
        (methods, seeds).
    test : str, optional
        Instead of the default, a paired Wilcoxon test.

    Returns
    -------
    pairs : list of (int, int)
        Those that it calls significantly different, Holm over all pairs.
    intervals : numpy.ndarray
        Of each method, (methods, 2).
    """
    names = [f"m{position}" for position in range(len(accuracies))]
    data = xarray.Dataset(
        {"accuracy": (("method", "seed"), accuracies)},
        coords={"method": names, "seed": np.arange(accuracies.shape[1])},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = mushin.compare_methods(data, **({"test": test} if test else {}))
        summary = mushin.BenchmarkResult(data=data, comparisons=table).summary()
    significant = table[table["significant"]]
    pairs = [(int(a[1:]), int(b[1:])) for a, b in zip(significant["method_a"], significant["method_b"], strict=True)]
    return pairs, summary[["ci_low", "ci_high"]].to_numpy(float)
