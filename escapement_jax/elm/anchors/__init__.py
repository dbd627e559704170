"""Classical regressions and scans: what every network result is printed beside."""

from escapement_jax.elm.anchors.lasso import Lasso as Lasso
from escapement_jax.elm.anchors.lasso import lasso as lasso
from escapement_jax.elm.anchors.least_squares import LinearFit as LinearFit
from escapement_jax.elm.anchors.least_squares import blup as blup
from escapement_jax.elm.anchors.least_squares import least_squares as least_squares
from escapement_jax.elm.anchors.moments import RegressionMoments as RegressionMoments
from escapement_jax.elm.anchors.moments import column_pairs as column_pairs
from escapement_jax.elm.anchors.moments import pair_features as pair_features
from escapement_jax.elm.anchors.moments import regression_moments as regression_moments
from escapement_jax.elm.anchors.pair_scan import PairScan as PairScan
from escapement_jax.elm.anchors.pair_scan import StrongestPairs as StrongestPairs
from escapement_jax.elm.anchors.pair_scan import pair_moments as pair_moments
from escapement_jax.elm.anchors.pair_scan import pair_scan as pair_scan
from escapement_jax.elm.anchors.pair_scan import strongest_pairs as strongest_pairs
from escapement_jax.elm.anchors.spike_slab import SpikeSlab as SpikeSlab
from escapement_jax.elm.anchors.spike_slab import spike_and_slab as spike_and_slab
from escapement_jax.elm.anchors.triple_scan import TripleScan as TripleScan
from escapement_jax.elm.anchors.triple_scan import (
    fit_strongest_triples as fit_strongest_triples,
)
from escapement_jax.elm.anchors.triple_scan import triple_scan as triple_scan
