"""R2's errors, as a worker catches them: ``action: message (code)``.

Source: miniflare src/workers/r2/errors.worker.ts; recorded, contracts/r2
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pyworkers.bindings.failures import tell
from pyworkers.engines.r2 import (
    DigestMismatch,
    InvalidPart,
    NoSuchUpload,
    PartTooSmall,
    UnevenParts,
)
from pyworkers.errors import EngineError
from pyworkers.js.values import JsException

INTERNAL: Final = "We encountered an internal error. Please try again. (10001)"
METADATA_TOO_LARGE: Final = "Your metadata headers exceed the maximum allowed metadata size. (10012)"
OBJECT_TOO_LARGE: Final = "Your proposed upload exceeds the maximum allowed object size. (100100)"
INVALID_NAME: Final = "The specified object name is not valid. (10020)"
INVALID_LIMIT: Final = "MaxKeys params must be positive integer <= 1000. (10022)"
INVALID_RANGE: Final = "The requested range is not satisfiable (10039)"
UNSPECIFIED: Final = "Unspecified error (0)"

_OF_ENGINE: Final[dict[type[EngineError], str]] = {
    NoSuchUpload: "The specified multipart upload does not exist. (10024)",
    InvalidPart: "One or more of the specified parts could not be found. (10025)",
    PartTooSmall: "Your proposed upload is smaller than the minimum allowed object size. (10011)",
    UnevenParts: "There was a problem with the multipart upload. (10048)",
}
ALGORITHMS: Final = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}


def failure(action: str, text: str) -> JsException:
    """Make an error of R2."""
    return JsException("Error", f"{action}: {text}")


@contextmanager
def engine_errors(action: str) -> Iterator[None]:
    """Turn an engine's errors into R2's."""
    try:
        yield
    except DigestMismatch as error:
        name = ALGORITHMS[error.algorithm]
        raise failure(
            action,
            f"The {name} checksum you specified did not match what we received.\n"
            f"You provided a {name} checksum with value: {error.expected.hex()}\n"
            f"Actual {name} was: {error.actual.hex()} (10037)",
        ) from error
    except EngineError as error:
        raise engine_failure(action, error) from error


def engine_failure(action: str, error: EngineError) -> JsException:
    """Make what a worker catches for an engine's error; where it says nothing of the reason, tell the terminal."""
    text = _OF_ENGINE.get(type(error))
    if text is None:
        tell(error)
    return failure(action, text or INTERNAL)
