"""What training maximises: the bound of the twisted chain plus the log prior of the sizes.

The bound of the copying model is exact, so its gradient is too ("exact"). Where a recursion is too
large, one has to make do with drawn paths; the estimators are here to be compared with it:

- "straight-through": the states are straight-through Gumbel-softmax draws, annealed;
- "score-function": `stop(log w - c) log q + log w`, where `c` is the mean of the other draws and
  what the learned baseline of NVIL adds to it;
- "vimco": several draws, which maximise the larger bound `E[log mean_k w_k]`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from escapement_jax.array_types import PRNGKey
from escapement_jax.genealogy.copying.copying_model import CopyingModel
from escapement_jax.genealogy.copying.copying_tables import PairCounts
from escapement_jax.genealogy.demography.size_models import SizeModel
from escapement_jax.genealogy.encoder.heads import PotentialNetwork
from escapement_jax.genealogy.encoder.potentials import Potentials, StatePotentials
from escapement_jax.genealogy.genome.time_grid import TimeGrid
from escapement_jax.genealogy.variational.copying_data import CopyingData
from escapement_jax.genealogy.variational.elbo_terms import sizes_of_model
from escapement_jax.genealogy.variational.genome_windows import Windows
from escapement_jax.genealogy.variational.look_ahead import (
    coarse_look_ahead,
    emission_potentials,
)
from escapement_jax.genealogy.variational.twisted_chain import Bound, twisted_bound
from escapement_jax.genealogy.variational.twisted_paths import (
    path_log_probabilities,
    sample_twisted_path,
    straight_through_bound,
)
from escapement_jax.numerics.score_estimators import (
    Baseline,
    mean_of_others,
    score_function_surrogate,
    vimco_surrogate,
)
from escapement_jax.training.devices import batched

Estimator = Literal["exact", "straight-through", "score-function", "vimco"]


class Genome(eqx.Module):
    """A genome ready for training.

    Attributes:
        windows: its windows.
        data: all of its bins.
        grid: time levels.
        look_ahead: bins merged for the analytic look-ahead that the network adds to; 0 for none.
    """

    windows: Windows
    data: CopyingData
    grid: TimeGrid
    look_ahead: int = eqx.field(static=True, default=0)


@dataclass(frozen=True)
class Objective:
    """How the bound is estimated.

    Attributes:
        sizes: how the population size is written, with its prior.
        estimator: of the gradient.
        draws: paths per step, for the estimators that draw.
    """

    sizes: SizeModel
    estimator: Estimator = "exact"
    draws: int = 4

    def value(
        self,
        parameters: PyTree,
        genome: Genome,
        chosen: Int[Array, " chosen"],
        temperature: Float[Array, ""],
        *,
        key: PRNGKey,
        share: Sequence[int] | None = None,
    ) -> tuple[Float[Array, ""], Bound]:
        """Number whose gradient is followed, and the terms of the bound, summed over haplotypes.

        Both are sums over the windows, so those of shares of them add up to the whole.

        Args:
            parameters: `network`, `sizes` and `baseline`.
            genome: the data.
            chosen: windows that are looked at; the sum over them is scaled up to all windows.
            temperature: of relaxed draws.
            key: random key.
            share: places among the chosen windows of those that are summed; default: all.
        """
        population = sizes_of_model(self.sizes, parameters["sizes"], genome.grid)
        scale = genome.windows.num_windows / chosen.shape[0]

        def one(index: Int[Array, ""], key: PRNGKey) -> tuple[Float[Array, ""], Bound]:
            window = jax.tree.map(lambda leaf: leaf[index], genome.windows)
            model = window.core.model(population, genome.grid)
            network = parameters["network"]
            residual = network(window.columns, window.features, genome.grid.times)
            counts = window.core.counts
            told = jax.lax.stop_gradient(model)
            states = analytic_potentials(told, counts, genome.look_ahead)
            potentials = window.core_of(residual) + states
            return self._estimate(parameters, model, counts, potentials, temperature, key)

        keys = jax.random.split(key, chosen.shape[0])
        places = np.arange(chosen.shape[0]) if share is None else np.array(share)
        values, bounds = jax.vmap(one)(*batched((chosen[places], keys[places])))
        bound = jax.tree.map(lambda term: scale * jnp.sum(term), bounds)
        prior = self.log_prior(parameters["sizes"]) * (len(places) / chosen.shape[0])
        return scale * jnp.sum(values) + prior, bound

    def log_prior(self, parameters: Float[Array, " parameters"]) -> Float[Array, ""]:
        """Log density of the parameters of the size, up to a constant; middling smoothness."""
        covariance = self.sizes.covariances[len(self.sizes.covariances) // 2]
        precision = jnp.asarray(np.linalg.inv(covariance), parameters.dtype)
        deviation = parameters - jnp.asarray(self.sizes.mean, parameters.dtype)
        return -0.5 * deviation @ precision @ deviation

    def _estimate(
        self,
        parameters: PyTree,
        model: CopyingModel,
        counts: PairCounts,
        potentials: Potentials,
        temperature: Float[Array, ""],
        key: PRNGKey,
    ) -> tuple[Float[Array, ""], Bound]:
        bound = twisted_bound(model, counts, potentials)
        if self.estimator == "exact":
            return jnp.sum(bound.elbo), bound
        bound = jax.lax.stop_gradient(bound)
        keys = jax.random.split(key, self.draws)
        if self.estimator == "straight-through":
            relaxed = jax.vmap(
                lambda key: straight_through_bound(model, counts, potentials, temperature, key=key)
            )(keys)
            return jnp.sum(relaxed.elbo) / self.draws, bound
        paths = jax.vmap(lambda key: sample_twisted_path(model, potentials, key=key))(keys)
        log_joint, log_q = jax.vmap(
            lambda path: path_log_probabilities(model, counts, potentials, path)
        )(jax.lax.stop_gradient(paths))
        # Haplotypes are independent, so each is held against its own draws.
        if self.estimator == "vimco":
            return jnp.sum(jax.vmap(vimco_surrogate, in_axes=1)(log_joint - log_q, log_q)), bound
        log_weights = log_joint - log_q
        baseline: Baseline = parameters["baseline"]
        summary = jnp.mean(potentials.states, axis=(0, 2))
        expected = jax.vmap(baseline)(jax.lax.stop_gradient(summary))
        # The baseline would take hundreds of steps to learn the size of log p(D) by itself.
        others = jax.lax.stop_gradient(mean_of_others(log_weights))
        surrogate = score_function_surrogate(log_weights, log_q, others + expected[None])
        error = jax.vmap(baseline.squared_error)(summary, (log_weights - others).T)
        return jnp.sum(surrogate) / self.draws - jnp.sum(error), bound


def analytic_potentials(
    model: CopyingModel, counts: PairCounts, look_ahead: int
) -> StatePotentials:
    """Emission, and the look-ahead of a coarse copying model if asked for.

    Args:
        model: the copying model.
        counts: the data.
        look_ahead: bins merged; 0 for no look-ahead.
    """
    emissions = emission_potentials(model, counts)
    return (
        emissions + coarse_look_ahead(model, counts, group=look_ahead) if look_ahead else emissions
    )


@eqx.filter_jit
def whole_genome_potentials(
    network: PotentialNetwork, genome: Genome, model: CopyingModel
) -> Potentials:
    """Potentials of all bins: the network's over all windows, blended, plus the analytic part.

    Args:
        network: the learned part.
        genome: the data.
        model: the copying model of all bins.
    """
    windows = genome.windows
    residuals = jax.lax.map(
        lambda window: network(window[0], window[1], genome.grid.times),
        (windows.columns, windows.features),
    )
    analytic = analytic_potentials(model, genome.data.counts, genome.look_ahead)
    return windows.blended(residuals) + analytic
