import numpy as np
import pytest

from escapement_jax.plotting.copying import plot_copying_probabilities


def test_each_panel_draws_one_row_per_earlier_haplotype():
    generator = np.random.default_rng(0)
    attention, copied = generator.random((2, 6, 4, 4))
    figure = plot_copying_probabilities(attention, copied, np.arange(6) * 1_000.0, 3)
    drawn = [axes.collections[0].get_array() for axes in figure.axes]
    np.testing.assert_allclose(np.reshape(drawn[0], (3, 6)), attention[:, 3, :3].T)
    np.testing.assert_allclose(np.reshape(drawn[1], (3, 6)), copied[:, 3, :3].T)
    with pytest.raises(ValueError, match="haplotype 0 has no earlier ones"):
        plot_copying_probabilities(attention, copied, np.arange(6.0), 0)
