"""Progress of long loops, on the terminal or in a notebook."""

from tqdm.auto import tqdm


def progress_bar(total: int, description: str, *, enabled: bool, unit: str = "it") -> tqdm:
    """Return a progress bar to advance with `update(n)` and close by leaving its `with` block.

    Args:
        total: number of units of work.
        description: what is being done, shown before the bar.
        enabled: whether anything is shown.
        unit: name of one unit of work.
    """
    return tqdm(total=total, desc=description, unit=unit, disable=not enabled, dynamic_ncols=True)
