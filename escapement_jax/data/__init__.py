"""Real data small enough to ship; README.md beside this file says where it is from."""

from pathlib import Path

_FOLDER = Path(__file__).parent


def demo_vcf() -> Path:
    """Return the path of 20 phased human genomes over 140 kb of chromosome 1 (GRCh37).

    Ancestral alleles are in INFO/AA.
    """
    return _FOLDER / "1000g_chr1_11.70-11.84Mb.20_individuals.vcf.gz"


def demo_recombination_map() -> Path:
    """Return the path of the genetic map that covers `demo_vcf` (columns `pos chr cM`)."""
    return _FOLDER / "1000g_chr1_11.60-11.93Mb.b37.gmap.txt"


def elm_source() -> Path:
    """Return the path of 10,000 simulated haploids with 64 loci, 5 traits and their true effects.

    An input of `escapement decompose`.
    """
    return _FOLDER / "equivalent_linear_mapping_replicate_1.npz"


def rkip_erk_model() -> Path:
    """Return the path of the RKIP-ERK signalling pathway in SBML (BioModel 647)."""
    return _FOLDER / "rkip_erk_biomodel_647.xml"
