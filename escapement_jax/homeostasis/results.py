"""What became of each trajectory in a fit."""

from enum import IntEnum


class TrajectoryCode(IntEnum):
    """Result code of a trajectory; 0 means that all went well."""

    SUCCESS = 0
    DIVERGED = 1
    MISFIT = 2
    EXCLUDED = 3

    @property
    def message(self) -> str:
        """What happened, and what to try."""
        return _MESSAGES[self]


_MESSAGES = {
    TrajectoryCode.SUCCESS: "fitted",
    TrajectoryCode.DIVERGED: (
        "the solver left the finite numbers; try shorter horizons, more substeps or the law"
        " 'spline', and look for wrong stoichiometry"
    ),
    TrajectoryCode.MISFIT: (
        "the model fits this trajectory much worse than its noise allows; look for a disturbance"
        " that should be a restart, a missing reaction or another law"
    ),
    TrajectoryCode.EXCLUDED: "too few neighbouring frames were measured to use this trajectory",
}
