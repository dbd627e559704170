"""Write a reaction network as Antimony, the text form of models that people edit by hand."""

from escapement_jax.io.sbml.infix import identifier, infix
from escapement_jax.numerics.expressions import Symbol
from escapement_jax.numerics.reaction_network import ReactionNetwork


def to_antimony(network: ReactionNetwork) -> str:
    """Return a network as Antimony text (Smith et al. 2009, Bioinformatics 25:2452)."""
    sizes = {size.name for size in network.sizes if isinstance(size, Symbol)}
    lines = [f"model {identifier(network.name)}()"]
    lines += [f"  compartment {identifier(name)};" for name in sorted(sizes)]
    lines += [f"  {line};" for line in (*_species(network), *_reactions(network))]
    lines += [f"  {identifier(name)} := {infix(value)};" for name, value in network.assignments]
    lines += [f"  {identifier(name)}' = {infix(value)};" for name, value in network.rate_rules]
    values = [
        *zip(network.states, network.initial_values, strict=True),
        *zip(network.constants, network.constant_values, strict=True),
    ]
    lines += [f"  {identifier(name)} = {infix(value)};" for name, value in values]
    return "\n".join([*lines, "end", ""])


def _species(network: ReactionNetwork) -> list[str]:
    ruled = dict(network.rate_rules)
    lines = []
    for name, size in zip(network.states, network.sizes, strict=True):
        if name in ruled:
            continue
        if isinstance(size, Symbol):
            lines.append(f"species {identifier(name)} in {identifier(size.name)}")
        else:
            lines.append(f"substanceOnly species {identifier(name)}")
    return lines


def _reactions(network: ReactionNetwork) -> list[str]:
    lines = []
    for column, (name, law) in enumerate(zip(network.reactions, network.rate_laws, strict=True)):
        sides = [
            " + ".join(
                _with_amount(amount, state)
                for amount, state in zip(side[:, column].tolist(), network.states, strict=True)
                if amount
            )
            for side in (network.reactants, network.products)
        ]
        lines.append(f"{identifier(name)}: {sides[0]} -> {sides[1]}; {infix(law)}")
    return lines


def _with_amount(amount: float, state: str) -> str:
    return identifier(state) if amount == 1 else f"{amount:g} {identifier(state)}"
