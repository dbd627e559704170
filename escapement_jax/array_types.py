"""Names for the kinds of arrays that are passed around, dimensions included."""

from jaxtyping import Array, Bool, Float, Int, Int8, Key

LevelMatrix = Int8[Array, "haplotypes haplotypes"]
"""A local tree: entry (i, j) is the time level at which i and j coalesce; -1 on the diagonal."""

LevelMatrices = Int8[Array, "segments haplotypes haplotypes"]
HaplotypeMask = Bool[Array, " haplotypes"]
Levels = Float[Array, " levels"]
LineageMessage = Float[Array, "haplotypes levels"]
"""A weight for every position (branch, level) of a tree, repeated for each haplotype below it."""

BinPath = Int[Array, " bins"]
PRNGKey = Key[Array, ""]
