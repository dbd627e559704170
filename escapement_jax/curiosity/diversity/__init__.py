"""How many different behaviours a search has found."""

from escapement_jax.curiosity.diversity.discs import disc_coverage as disc_coverage
from escapement_jax.curiosity.diversity.filled_bins import (
    PUBLISHED_EXTENT as PUBLISHED_EXTENT,
)
from escapement_jax.curiosity.diversity.filled_bins import data_extent as data_extent
from escapement_jax.curiosity.diversity.filled_bins import filled_bins as filled_bins
from escapement_jax.curiosity.diversity.filled_bins import filled_curve as filled_curve
from escapement_jax.curiosity.diversity.filled_bins import (
    percent_of_feasible as percent_of_feasible,
)
from escapement_jax.curiosity.diversity.filled_bins import (
    quality_diversity as quality_diversity,
)
from escapement_jax.curiosity.diversity.grid import DescriptorGrid as DescriptorGrid
