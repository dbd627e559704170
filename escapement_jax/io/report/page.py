"""The page of a run: one file that needs no other, nor a network."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from escapement_jax.io.report.captions import words
from escapement_jax.io.report.contents import RunContents, read_contents, shown
from escapement_jax.io.run_directory import write_text_atomically

TEMPLATE = "page.html"

QUESTIONS = {
    "infer": "Ancestral recombination graphs and population size",
    "train": "Learned posterior of the copying model",
    "pretrain": "Encoder trained on simulated genomes",
    "calibrate": "Calibration of the inference of genealogies",
    "decompose": "Additive and epistatic effects",
    "explore": "Behaviours of a system",
    "recover": "Homeostasis from metabolic time courses",
    "simulate.genealogy": "Simulated genomes with their genealogy",
    "simulate.elm": "Simulated genotypes and phenotypes",
    "simulate.homeostasis": "Simulated metabolic time courses",
}
"""Title of the page of every verb."""


def write_report(directory: Path, path: Path) -> None:
    """Write the page of a run directory.

    Args:
        directory: a folder that a run has written.
        path: HTML file to write.

    Raises:
        FileNotFoundError: the folder is absent.
        ValueError: it is no run directory, or one of its files cannot be read; names it.
    """
    write_text_atomically(path, render(read_contents(directory)))


def render(contents: RunContents) -> str:
    """Return the page as HTML; whatever comes from data is escaped.

    Args:
        contents: what the page tells.
    """
    # Of the tables of a run, the one of its own verb comes first or calls the others.
    verb = "calibrate" if "calibrate" in contents.verbs else next(iter(contents.verbs), "run")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "words": words}
    return environment.get_template(TEMPLATE).render(
        run=contents, verb=verb.replace(".", " "), title=QUESTIONS.get(verb, verb)
    )
