"""The interface of a genotype-to-phenotype network."""

from abc import abstractmethod

import equinox as eqx
from jaxtyping import Array, Float


class AbstractNetwork(eqx.Module):
    """A function of one genotype that is linear in it once its gates are known.

    Implementing a network: without biases, write every nonlinearity as a gate times its argument
    (`layers.gate`), and let `detach` make the gates constant under differentiation. Then

        f(x) = J(x) x,    J the Jacobian with detached gates,

    holds exactly (Golden 2025, "Equivalent linear mappings of large language models"). Biases are
    the weights of an input that is always one: see `ConstantChannel`.
    """

    @abstractmethod
    def __call__(
        self, genotype: Float[Array, " inputs"], *, detach: bool = False
    ) -> Float[Array, " traits"]:
        """Return the phenotypes of one genotype.

        Args:
            genotype: coded alleles, such as -1 and +1.
            detach: whether gates are constants under differentiation; the value is the same.
        """
