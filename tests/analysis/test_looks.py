"""How much error each look may spend, against the multivariate normal distribution."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from ravine.analysis.looks import nominal_levels


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 7])
@pytest.mark.parametrize("looks", [(12,), (6, 12), (4, 6, 9, 12), (6, 9, 12, 18, 24)])
def test_all_looks_together_err_as_often_as_allowed(looks: tuple[int, ...], alpha: float) -> None:
    levels = nominal_levels(looks, alpha)
    times = np.array(looks) / looks[-1]
    for k in range(1, len(looks) + 1):  # it is spent in proportion to the seeds
        bounds = norm.isf(np.array(levels[:k]) / 2)
        own = times[:k]
        correlations = np.sqrt(np.minimum.outer(own, own) / np.maximum.outer(own, own))
        stays = multivariate_normal(cov=correlations, abseps=1e-7, maxpts=2_000_000, seed=0).cdf(
            bounds, lower_limit=-bounds
        )
        assert 1 - stays == pytest.approx(alpha * own[-1], abs=2e-5)


def test_one_look_spends_all_of_it() -> None:
    assert nominal_levels((12,), 0.05) == (pytest.approx(0.05),)
