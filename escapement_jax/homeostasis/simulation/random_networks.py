"""Random reaction networks: autocatalytic cycles as in the published benchmark, and general ones.

Stoichiometries are drawn by NumPy's legacy generator in the order of the published generator, so
that the same seed gives the very network it gives there.
"""

import numpy as np

from escapement_jax.homeostasis.network import Network

LARGEST_COEFFICIENT = 2


def random_network(
    *,
    num_metabolites: int,
    num_reactions: int,
    seed: int,
    cycle_fraction: float = 1.0,
    cycle_length: int = 3,
    max_metabolites_per_reaction: int = 4,
) -> Network:
    """Draw a network: a share of autocatalytic cycles, the rest reactions of random partners.

    In a cycle ``m_0 ... m_{L-1}`` reaction i is ``m_i + m_{i+1} -> 2 m_{i+1}``. Cycles use fresh
    metabolites while there are enough of them. Where the number of cycle reactions is no multiple
    of the cycle length, the last few have no partners at all: their rate never acts.

    Every reaction conserves the total amount: the columns of the stoichiometry sum to zero.

    Args:
        num_metabolites: Number of metabolites.
        num_reactions: Number of reactions.
        seed: Seed of the stoichiometry.
        cycle_fraction: Share of the reactions that belong to cycles, in [0, 1].
        cycle_length: Metabolites, and reactions, per cycle.
        max_metabolites_per_reaction: A random reaction has fewer substrates than this, and fewer
            products.

    Raises:
        ValueError: A cycle or a random reaction needs more metabolites than there are.
    """
    if cycle_fraction > 0 and num_metabolites < cycle_length:
        raise ValueError(
            f"a cycle takes {cycle_length} metabolites, but there are {num_metabolites}; "
            "give more metabolites or shorter cycles"
        )
    if cycle_fraction < 1 and num_metabolites < 2:
        raise ValueError("a reaction takes 2 metabolites or more, but there is only one")
    generator = np.random.RandomState(seed)
    stoichiometry = np.zeros((num_metabolites, num_reactions))
    orders = np.zeros((num_metabolites, num_reactions))
    num_cyclic = int(num_reactions * cycle_fraction)
    _add_cycles(stoichiometry, orders, num_cyclic, cycle_length, generator)
    partners = min(max_metabolites_per_reaction, num_metabolites // 2)
    for reaction in range(num_cyclic, num_reactions):
        _add_random_reaction(stoichiometry, orders, reaction, partners, generator)
    return Network.create(stoichiometry, orders)


def _add_cycles(
    stoichiometry: np.ndarray,
    orders: np.ndarray,
    num_reactions: int,
    length: int,
    generator: np.random.RandomState,
) -> None:
    num_metabolites = len(stoichiometry)
    used: set[int] = set()
    for cycle in range(num_reactions // length):
        fresh = [index for index in range(num_metabolites) if index not in used]
        pool = fresh if len(fresh) >= length else list(range(num_metabolites))
        members = generator.choice(pool, size=length, replace=False)
        used.update(members.tolist())
        for place, (food, catalyst) in enumerate(zip(members, np.roll(members, -1), strict=True)):
            reaction = cycle * length + place
            orders[food, reaction] = orders[catalyst, reaction] = 1.0
            stoichiometry[food, reaction], stoichiometry[catalyst, reaction] = -1.0, 1.0


def _add_random_reaction(
    stoichiometry: np.ndarray,
    orders: np.ndarray,
    reaction: int,
    partners: int,
    generator: np.random.RandomState,
) -> None:
    """Draw substrates with coefficients 1 or 2, and split their sum evenly among products."""
    num_substrates = generator.randint(1, max(2, partners))
    num_products = generator.randint(1, max(2, partners))
    members = generator.choice(len(stoichiometry), num_substrates + num_products, replace=False)
    substrates, products = members[:num_substrates], members[num_substrates:]
    coefficients = [generator.randint(1, LARGEST_COEFFICIENT + 1) for _ in substrates]
    share, remainder = divmod(sum(coefficients), num_products)
    yields = [share + (place < remainder) for place in range(num_products)]
    generator.shuffle(yields)
    orders[substrates, reaction] = coefficients
    stoichiometry[substrates, reaction] = -np.asarray(coefficients, dtype=float)
    stoichiometry[products, reaction] = yields
