"""Read a reaction network from SBML, or say everything that stands in the way."""

from pathlib import Path
from typing import Any

from escapement_jax.io.reader import reader
from escapement_jax.io.sbml.quantities import network_of_model
from escapement_jax.io.sbml.safe_xml import refuse_unsafe_xml
from escapement_jax.io.sbml.support import unsupported_features
from escapement_jax.io.text_files import read_text
from escapement_jax.numerics.reaction_network import ReactionNetwork


@reader
def read_sbml(path: Path) -> ReactionNetwork:
    """Read a model from an SBML file of any level.

    Units are not converted: all numbers are taken to be in one consistent system, as nearly all
    models are.

    Raises:
        FileNotFoundError: the file is absent.
        ValueError: the file is not SBML, or uses features that a reaction network does not have;
            lists all of them.
        ImportError: python-libsbml is missing.
    """
    return parse_sbml(read_text(Path(path)), source=str(path))


def parse_sbml(text: str, *, source: str = "the SBML text") -> ReactionNetwork:
    """Read a model from SBML text; see `read_sbml`.

    Args:
        text: the document.
        source: where it is from, for messages.
    """
    refuse_unsafe_xml(text, source)
    document = import_libsbml().readSBMLFromString(text)
    _refuse_errors(document, source)
    found = unsupported_features(document)
    if not found:
        network, found = network_of_model(document.getModel())
    if found:
        raise ValueError(f"{source} cannot be read, since it has: {'; '.join(found)}")
    return network  # pyright: ignore[reportPossiblyUnboundVariable]


def import_libsbml() -> Any:
    """Import libSBML.

    Raises:
        ImportError: it is missing; names the extra that brings it.
    """
    try:
        import libsbml
    except ImportError:
        raise ImportError('SBML needs python-libsbml: pip install "escapement-jax[sbml]"') from None
    return libsbml


def _refuse_errors(document: Any, source: str) -> None:
    libsbml = import_libsbml()
    log = [document.getError(place) for place in range(document.getNumErrors())]
    severe = [error for error in log if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR]
    if severe:
        first = " ".join(severe[0].getMessage().split())
        raise ValueError(f"{source} is not valid SBML (line {severe[0].getLine()}): {first}")
    if document.getModel() is None:
        raise ValueError(f"{source} holds no model")
