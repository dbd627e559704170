"""Potentials: what a look-ahead says about every state of every bin."""

import equinox as eqx
from jaxtyping import Array, Float

StatePotentials = Float[Array, "bins haplotypes parents levels"]


class Potentials(eqx.Module):
    """Log weights by which a chain of copies is twisted.

    Attributes:
        states: `psi` of haplotype `i` copying parent `j` at level `t` in a bin. A constant per bin
            and haplotype changes nothing.
        breaks: log weight `c` of ending the copy on the way into a bin; that of the first bin is
            not used.
    """

    states: Float[Array, "*windows bins haplotypes parents levels"]
    breaks: Float[Array, "*windows bins haplotypes"]

    def __add__(self, states: StatePotentials) -> "Potentials":
        return Potentials(self.states + states, self.breaks)
