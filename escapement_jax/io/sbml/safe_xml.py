"""XML from anywhere: a look at its form before a library builds a document of it."""

from xml.parsers import expat

DEEPEST = 200
"""Levels of elements inside each other; models have some tens, and libSBML counts on its stack."""


def refuse_unsafe_xml(text: str, source: str) -> None:
    """Refuse XML that is broken, defines entities, or is nested too deeply.

    Entities may name files and addresses, or grow without end; SBML has no use for them.

    Args:
        text: the document.
        source: where it is from, for messages.

    Raises:
        ValueError: it is not as told above; names the line.
    """
    parser = expat.ParserCreate()
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            place = f"line {parser.CurrentLineNumber}"
            raise ValueError(f"{source}: more than {DEEPEST} levels of elements at {place}")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    def document_type(name: str, *_: object) -> None:
        raise ValueError(
            f"{source}: line {parser.CurrentLineNumber} declares a document type (DOCTYPE), which "
            "may name other files; SBML needs none, take it out"
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = document_type
    try:
        parser.Parse(text.encode("utf-8"), True)
    except expat.ExpatError as error:
        raise ValueError(f"{source} is not valid SBML: {error}") from None
