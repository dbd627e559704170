"""The result of a fit: homeostasis, types and rate constants, with their errors."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from escapement_jax.homeostasis.identifiability.report import Identifiability
from escapement_jax.homeostasis.model import MetabolicModel
from escapement_jax.homeostasis.network import Network
from escapement_jax.homeostasis.rate_laws import AbstractRateLaw
from escapement_jax.homeostasis.results import TrajectoryCode
from escapement_jax.homeostasis.stepping import Integrator


class Recovery(eqx.Module):
    """What was recovered from time courses. Slopes are negative where homeostasis is stable.

    Attributes:
        network: The network.
        law: The fitted law.
        slopes: Slope of homeostasis of each metabolite, per unit of time.
        slope_stderr: Standard errors.
        offsets: Offset of homeostasis of each metabolite.
        offset_stderr: Standard errors.
        covariance: Of slopes, then offsets.
        types: Type of each metabolite, 0 the weakest.
        type_probabilities: Of each type.
        type_weights: Share of each type.
        type_slopes: Slope pooled over a type.
        type_slope_stderr: Standard errors.
        type_offsets: Offset pooled over a type.
        type_offset_stderr: Standard errors.
        type_baselines: Set point of a type, ``-offset / slope``.
        type_baseline_stderr: Standard errors, to first order.
        rates: Rate constant of each reaction; where not identifiable, a fair guess.
        rates_stderr: Standard errors; NaN where not identifiable.
        log10_rates: Decimal logarithms; NaN where a rate is not positive.
        log10_rates_stderr: Standard errors, to first order.
        pooled_rates: Rate constants refitted with homeostasis pooled over types.
        identifiable: Whether each rate constant is determined by the equations.
        fitted: Modelled concentrations.
        codes: What became of each trajectory, a ``TrajectoryCode``.
        noise_relative: Noise as a share of concentration.
        noise_absolute: Noise at concentration 0.
        chi_square: Squared residuals in units of their variance, per degree of freedom; NaN for
            data without noise.
        bayesian_information: Criterion for 1, 2, ... types; the smallest won.
        identifiability: What could be expected.
        integrator: How frames follow each other.
        method: "weak-form" or "multiple-shooting".
        verdict: A few plain words.
        warnings: What to be careful about.
    """

    network: Network
    law: AbstractRateLaw
    slopes: Float[np.ndarray, " metabolites"]
    slope_stderr: Float[np.ndarray, " metabolites"]
    offsets: Float[np.ndarray, " metabolites"]
    offset_stderr: Float[np.ndarray, " metabolites"]
    covariance: Float[np.ndarray, "both both"]
    types: Int[np.ndarray, " metabolites"]
    type_probabilities: Float[np.ndarray, "metabolites types"]
    type_weights: Float[np.ndarray, " types"]
    type_slopes: Float[np.ndarray, " types"]
    type_slope_stderr: Float[np.ndarray, " types"]
    type_offsets: Float[np.ndarray, " types"]
    type_offset_stderr: Float[np.ndarray, " types"]
    type_baselines: Float[np.ndarray, " types"]
    type_baseline_stderr: Float[np.ndarray, " types"]
    rates: Float[np.ndarray, " reactions"]
    rates_stderr: Float[np.ndarray, " reactions"]
    log10_rates: Float[np.ndarray, " reactions"]
    log10_rates_stderr: Float[np.ndarray, " reactions"]
    pooled_rates: Float[np.ndarray, " reactions"]
    identifiable: Bool[np.ndarray, " reactions"]
    fitted: Float[np.ndarray, "trajectories frames metabolites"]
    codes: Int[np.ndarray, " trajectories"]
    noise_relative: float
    noise_absolute: float
    chi_square: float
    bayesian_information: Float[np.ndarray, " numbers"]
    identifiability: Identifiability
    integrator: Integrator = eqx.field(static=True)
    method: str = eqx.field(static=True)
    verdict: str = eqx.field(static=True)
    warnings: tuple[str, ...] = eqx.field(static=True)

    @property
    def num_types(self) -> int:
        """Number of types found."""
        return len(self.type_slopes)

    def trajectory_codes(self) -> tuple[TrajectoryCode, ...]:
        """Return the result code of each trajectory; each has a ``message``."""
        return tuple(TrajectoryCode(int(code)) for code in self.codes)

    def model(self) -> MetabolicModel:
        """Return the model with the homeostasis of each metabolite its own."""
        return self._model(self.rates, self.slopes, self.offsets)

    def pooled_model(self) -> MetabolicModel:
        """Return the model with homeostasis pooled over types, the better one for prediction."""
        types = self.types
        return self._model(self.pooled_rates, self.type_slopes[types], self.type_offsets[types])

    def _model(self, *coefficients: np.ndarray) -> MetabolicModel:
        return MetabolicModel(self.network, self.law, *map(jnp.asarray, coefficients))
