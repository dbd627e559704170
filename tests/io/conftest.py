"""Small VCF files, written by the tests that need them."""

import pytest

HEADER = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=1000>
##contig=<ID=chr2>
##INFO=<ID=AA,Number=1,Type=String,Description="Ancestral allele">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
"""


@pytest.fixture
def write_vcf(tmp_path):
    """Write records "POS REF ALT AA calls..." (on chr1 unless "CONTIG:POS") and return the path."""

    def write(*records, samples=("a", "b"), header=HEADER, name="small.vcf"):
        columns = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split()
        lines = ["\t".join([*columns, *samples])]
        for record in records:
            place, reference, alternative, annotation, *calls = record.split()
            contig, _, position = place.rpartition(":")
            info = "." if annotation == "." else f"AA={annotation}"
            fields = [contig or "chr1", position, ".", reference, alternative, ".", ".", info, "GT"]
            lines.append("\t".join([*fields, *calls]))
        path = tmp_path / name
        path.write_text(header + "\n".join(lines) + "\n")
        return path

    return write
