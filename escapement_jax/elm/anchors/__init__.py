"""Classical regressions that every network result is printed beside."""

from escapement_jax.elm.anchors.spike_slab import SpikeSlab as SpikeSlab
from escapement_jax.elm.anchors.spike_slab import spike_and_slab as spike_and_slab
