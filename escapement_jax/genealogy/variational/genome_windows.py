"""A genome as overlapping windows that share one network, and count every bin once.

The bins are tiled by *cores* of equal size. A window is a core with a halo of bins on either side,
which gives the network context. Training sums the bounds of the cores, so no bin is counted twice;
to judge the whole genome the potentials of windows are blended where halos overlap, with weights
that sum to one, and a single chain runs over all bins.
"""

from collections.abc import Sequence
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from escapement_jax.config.encoder import EncoderConfig
from escapement_jax.genealogy.encoder.pair_features import PairFeatures, pair_features
from escapement_jax.genealogy.encoder.potentials import Potentials
from escapement_jax.genealogy.encoder.site_columns import SiteColumns
from escapement_jax.genealogy.variational.copying_data import CopyingData

_Part = TypeVar("_Part")


class Windows(eqx.Module):
    """Windows of a genome, stacked.

    Attributes:
        columns: sites of every window, padded; positions from the window's start.
        features: of the pairs, for the bins of core and halos.
        core: data of the core's bins alone; bins beyond the genome hold no data.
        blend: weight of each bin of a window, over all windows 1 for every bin of the genome.
        num_bins: bins of the genome.
        halo: bins of a halo.
    """

    columns: SiteColumns
    features: PairFeatures
    core: CopyingData
    blend: Float[Array, "windows bins"]
    num_bins: int = eqx.field(static=True)
    halo: int = eqx.field(static=True)

    @property
    def num_windows(self) -> int:
        """Number of windows."""
        return self.blend.shape[0]

    def core_of(self, potentials: Potentials) -> Potentials:
        """Potentials of the bins of the core alone."""
        stop = potentials.breaks.shape[0] - self.halo
        return jax.tree.map(lambda leaf: leaf[self.halo : stop], potentials)

    def blended(self, potentials: Potentials) -> Potentials:
        """One set of potentials for the genome, from those of all windows, stacked."""
        stride = potentials.breaks.shape[1] - 2 * self.halo

        def blend(stacked: Float[Array, "windows bins ..."]) -> Array:
            weights = self.blend.reshape(self.blend.shape + (1,) * (stacked.ndim - 2))
            length = (self.num_windows - 1) * stride + stacked.shape[1]
            total = jnp.zeros((length, *stacked.shape[2:]), stacked.dtype)
            for index in range(self.num_windows):
                start = index * stride
                here = slice(start, start + stacked.shape[1])
                total = total.at[here].add(weights[index] * stacked[index])
            return total[self.halo : self.halo + self.num_bins]

        return jax.tree.map(blend, potentials)


def genome_windows(
    haplotypes: np.ndarray,
    positions: np.ndarray,
    edges: np.ndarray,
    data: CopyingData,
    config: EncoderConfig,
    *,
    core_bins: int | None = None,
    halo_bins: int = 0,
    num_sites: int | None = None,
) -> Windows:
    """Cut a genome into windows.

    Args:
        haplotypes: alleles [sites, haplotypes]: 0 ancestral, 1 derived, -1 missing.
        positions: of the sites, base pairs.
        edges: of the bins, base pairs.
        data: of all bins.
        config: of the encoder, for its length scales.
        core_bins: bins of a core; default: all, one window.
        halo_bins: bins on either side that the network sees beyond the core.
        num_sites: sites to pad every window to; default: those of the fullest.

    Raises:
        ValueError: there is no site.
    """
    num_bins = len(edges) - 1
    core = min(core_bins or num_bins, num_bins)
    halo = halo_bins if core < num_bins else 0
    starts = np.arange(0, num_bins, core)
    lower = edges[np.clip(starts - halo, 0, num_bins)]
    upper = edges[np.clip(starts + core + halo, 0, num_bins)]
    rows = np.searchsorted(positions, np.stack([lower, upper]))
    most = num_sites or max(int(np.diff(rows, axis=0).max()), 1)
    columns, features = [], []
    for index, start in enumerate(starts):
        inside = slice(rows[0, index], rows[1, index])
        here = positions[inside] - lower[index]
        alleles = haplotypes[inside]
        if here.size == 0:  # a window without variation shows one site that all share
            here, alleles = np.zeros(1), np.zeros((1, haplotypes.shape[1]), np.int8)
        seen = SiteColumns.from_haplotypes(alleles, here, num_sites=most)
        bins = np.clip(np.arange(start - halo, start + core + halo) + 1, 0, num_bins)
        places = jnp.asarray(np.maximum(edges[bins] - lower[index], 0.0), dtype=float)
        columns.append(seen)
        features.append(pair_features(seen, places, config.length_scales))
    return Windows(
        columns=_stacked(columns),
        features=_stacked(features),
        core=_stacked([data.part(int(start), core) for start in starts]),
        blend=jnp.asarray(_blend(len(starts), core, halo, num_bins), dtype=float),
        num_bins=num_bins,
        halo=halo,
    )


def _blend(num_windows: int, core: int, halo: int, num_bins: int) -> np.ndarray:
    """Weights that fall linearly over the overlap, normalised; none beyond the genome."""
    size = core + 2 * halo
    from_edge = np.minimum(np.arange(size), np.arange(size)[::-1]) + 1.0
    shape = np.minimum(from_edge, 2 * halo + 1.0)
    total = np.zeros((num_windows - 1) * core + size)
    for index in range(num_windows):
        total[index * core : index * core + size] += shape
    weights = np.stack([shape / total[i * core : i * core + size] for i in range(num_windows)])
    bins = core * np.arange(num_windows)[:, None] + np.arange(size)[None, :] - halo
    return np.where((bins >= 0) & (bins < num_bins), weights, 0.0)


def _stacked(parts: Sequence[_Part]) -> _Part:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)
