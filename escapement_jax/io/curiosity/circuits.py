"""Circuits for other tools: SBML and Antimony text."""

from pathlib import Path

from escapement_jax.io.antimony import to_antimony
from escapement_jax.io.sbml.write import to_sbml
from escapement_jax.numerics.reaction_network import ReactionNetwork


def write_network(folder: Path, network: ReactionNetwork) -> list[Path]:
    """Write a network as Antimony and, where python-libsbml is there, as SBML.

    Args:
        folder: Folder to write into.
        network: The network; its name is the name of the files.

    Returns:
        The files written.
    """
    antimony = folder / f"{network.name}.ant"
    antimony.write_text(to_antimony(network), encoding="utf-8")
    try:
        text = to_sbml(network)
    except ImportError:
        return [antimony]
    sbml = folder / f"{network.name}.xml"
    sbml.write_text(text, encoding="utf-8")
    return [antimony, sbml]
