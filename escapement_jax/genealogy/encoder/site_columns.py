"""What the encoder reads: alleles at the segregating sites of a window."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int8

NUM_SITE_FEATURES = 5

_KILOBASE = 1_000.0


class SiteColumns(eqx.Module):
    """Alleles of aligned haplotypes at the segregating sites of a window.

    Attributes:
        alleles: 0 ancestral, 1 derived, -1 missing.
        positions: of the sites, base pairs, never decreasing; padding repeats the last one.
        real: False for padding, which comes last.
    """

    alleles: Int8[Array, "haplotypes sites"]
    positions: Float[Array, " sites"]
    real: Bool[Array, " sites"]

    @classmethod
    def from_haplotypes(
        cls, haplotypes: np.ndarray, positions: np.ndarray, *, num_sites: int | None = None
    ) -> "SiteColumns":
        """Turn genotypes into columns, padded on request.

        Args:
            haplotypes: alleles [sites, haplotypes]: 0 ancestral, 1 derived, -1 missing.
            positions: of the sites, base pairs.
            num_sites: number of sites to pad to; default: no padding.

        Raises:
            ValueError: there is no site, positions decrease, or there are more sites than asked.
        """
        count = haplotypes.shape[0]
        size = count if num_sites is None else num_sites
        if count == 0 or size < count:
            raise ValueError(f"{count} sites do not fit into {size} columns; there must be one")
        if np.any(np.diff(positions) < 0):
            site = int(np.argmax(np.diff(positions) < 0)) + 1
            raise ValueError(
                f"positions must never decrease, but do at site {site}; sort the sites"
            )
        padding = (0, size - count)
        return cls(
            alleles=jnp.asarray(np.pad(haplotypes, [padding, (0, 0)]).T, jnp.int8),
            positions=jnp.asarray(np.pad(positions, padding, mode="edge"), dtype=float),
            real=jnp.arange(size) < count,
        )

    def site_features(self) -> Float[Array, "haplotypes sites features"]:
        """What a haplotype shows at a site, whoever the others are.

        Its allele (-1 ancestral, 1 derived, 0 missing), whether it is missing, the frequency of the
        derived allele, and the log distances to the sites before and after.
        """
        dtype = self.positions.dtype
        known = (self.alleles >= 0).astype(dtype)
        derived = (self.alleles == 1).astype(dtype)
        frequency = derived.sum(axis=0) / jnp.maximum(known.sum(axis=0), 1.0)
        gaps = jnp.log1p(jnp.diff(self.positions) / _KILOBASE)
        before, after = jnp.pad(gaps, (1, 0)), jnp.pad(gaps, (0, 1))
        common = jnp.stack([frequency, before, after], axis=1)
        common = jnp.broadcast_to(common[None], (known.shape[0], *common.shape))
        own = jnp.stack([known * (2.0 * derived - 1.0), 1.0 - known], axis=2)
        return jnp.concatenate([own, common], axis=2)
