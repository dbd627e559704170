"""Pearson's test of counts against a law whose outcomes are too many to list."""

from collections import Counter

import numpy as np
from scipy.stats import chi2


def pearson_p_value(observed: Counter, expected: dict[bytes, float], total: int) -> float:
    """P-value of counts of outcomes given their expected numbers.

    Outcomes that are expected fewer than twenty times, and those not in the list, are counted
    together, if they amount to five.
    """
    common = [name for name in expected if expected[name] >= 20]
    seen = np.array([observed[name] for name in common], dtype=float)
    law = np.array([expected[name] for name in common])
    assert sum(expected.values()) < total * (1 + 1e-9), "more outcomes than there can be"
    seen, law = np.append(seen, total - seen.sum()), np.append(law, total - law.sum())
    seen, law = seen[law > 5], law[law > 5]
    assert law.size > 2, "too few outcomes to say anything"
    return float(chi2.sf(((seen - law) ** 2 / law).sum(), law.size - 1))
