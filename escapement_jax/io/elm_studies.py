"""A study of genotypes and phenotypes from any file that is understood."""

from collections.abc import Callable
from pathlib import Path

from escapement_jax.elm.genotypes.study import Study
from escapement_jax.io.elm_arrays import read_hdf5_study, read_npz_study
from escapement_jax.io.elm_phenotypes import match_individuals, read_named_table
from escapement_jax.io.elm_variants import (
    AlleleCounts,
    read_bed_counts,
    read_tree_sequence_counts,
    read_vcf_counts,
)
from escapement_jax.io.reader import reader

_STUDIES: dict[str, Callable[[Path], Study]] = {
    ".npz": read_npz_study,
    ".h5": read_hdf5_study,
    ".hdf5": read_hdf5_study,
}
_VARIANTS: dict[str, Callable[[Path], AlleleCounts]] = {
    ".vcf": read_vcf_counts,
    ".vcf.gz": read_vcf_counts,
    ".bcf": read_vcf_counts,
    ".bed": read_bed_counts,
    ".trees": read_tree_sequence_counts,
    ".tsz": read_tree_sequence_counts,
}


@reader
def read_study(path: str | Path, phenotypes: str | Path | None = None) -> Study:
    """Read genotypes and phenotypes of the same individuals.

    Args:
        path: .npz or .h5, which hold both; or genotypes alone: .csv or .tsv (a line per individual,
            its name first, then a column per locus), .vcf, .vcf.gz, .bcf, .bed, .trees, .tsz.
        phenotypes: a .csv or .tsv table (a line per individual, its name first, then a column per
            trait), for genotypes alone; individuals are matched by name.

    Raises:
        FileNotFoundError: a file is absent.
        ImportError: the reader of this kind of file is not installed.
        ValueError: a file of unknown kind or unreadable, phenotypes missing or given twice, or
            individuals that do not match.
    """
    path = Path(path)
    whole = next((read for end, read in _STUDIES.items() if path.name.endswith(end)), None)
    if whole is not None:
        if phenotypes is not None:
            raise ValueError(
                f"{path} holds phenotypes of its own; leave out the table {phenotypes}"
            )
        return whole(path)
    counts = _read_counts(path)
    if phenotypes is None:
        raise ValueError(
            f"{path} holds genotypes only; give a table of phenotypes too (--phenotypes FILE)"
        )
    table = read_named_table(Path(phenotypes))
    return Study.from_arrays(
        counts.counts,
        match_individuals(table, counts.individuals, Path(phenotypes)),
        individual_names=counts.individuals,
        locus_names=counts.loci,
        trait_names=table.columns,
        ploidy=counts.ploidy or None,
    )


def _read_counts(path: Path) -> AlleleCounts:
    for end, read in _VARIANTS.items():
        if path.name.endswith(end):
            return read(path)
    if path.suffix in (".csv", ".tsv"):
        table = read_named_table(path)
        # The values tell the ploidy: 0 stands for unsaid.
        return AlleleCounts(table.values, table.rows, table.columns, 0)
    known = ", ".join([*_STUDIES, ".csv", ".tsv", *_VARIANTS])
    raise ValueError(f"{path}: the kind of file is told by its name, which must end in {known}")
