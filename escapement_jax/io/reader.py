"""The promise of every reader: whatever is wrong with a file is told with the file's name."""

import csv
import functools
import lzma
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar
from zipfile import BadZipFile

Options = ParamSpec("Options")
Content = TypeVar("Content")

MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    RuntimeError,
    TypeError,
    UserWarning,
    BadZipFile,
    csv.Error,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)
"""What libraries raise, beside ValueError and OSError, when a file is not what it says."""


def reader(
    read: Callable[Concatenate[Path, Options], Content],
) -> Callable[Concatenate[Path, Options], Content]:
    """Let a function that reads the file of its first argument raise ValueError or OSError only.

    Messages that do not name the file get its name in front. The cause is kept, so that a
    traceback still shows a defect of ours for what it is.
    """

    @functools.wraps(read)
    def reading(path: Path, *arguments: Options.args, **options: Options.kwargs) -> Content:
        try:
            return read(path, *arguments, **options)
        except ImportError:
            raise
        except FileNotFoundError:
            raise
        except (ValueError, OSError) as error:
            if str(path) in str(error) and not isinstance(error, UnicodeError):
                raise
            raise ValueError(f"{path}: {_words(error)}") from error
        except MALFORMED as error:
            raise ValueError(
                f"{path}: cannot be read, its content is not as it should be "
                f"({type(error).__name__}: {_words(error)})"
            ) from error

    return reading


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__
