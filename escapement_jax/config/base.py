"""The interface of every configuration class."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Configuration(ABC):
    """Settings of one verb: documented fields with defaults, and the TOML table they live in.

    A subclass is a frozen dataclass that sets `table_name` and checks the range of every field in
    `__post_init__`.
    """

    table_name: ClassVar[str]

    @abstractmethod
    def check_complete(self) -> None:
        """Check that nothing is missing that has no default.

        Raises:
            ValueError: something is missing; the message says what to give.
        """
