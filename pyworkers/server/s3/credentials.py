"""The key and secret of a project's S3 API: made once, kept in its state folder, readable by their owner only."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pyworkers.errors import EngineError

FILE: Final = "s3-credentials.json"


@dataclass(frozen=True, slots=True)
class Credentials:
    """As R2's API tokens have them: 32 and 64 hexadecimal digits."""

    access_key_id: str
    secret_access_key: str

    @classmethod
    def new(cls) -> Credentials:
        """Return new ones."""
        return cls(secrets.token_hex(16), secrets.token_hex(32))


def project_credentials(state_dir: Path | None) -> Credentials:
    """Return a project's credentials, made at the first call; without a state folder they are new each time.

    Raises:
        EngineError: the file cannot be written, or is none of ours.
    """
    if state_dir is None:
        return Credentials.new()
    path = state_dir / FILE
    made = Credentials.new()
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write(path, made)
        return Credentials(**json.loads(path.read_bytes()))
    except OSError as error:
        raise EngineError(
            f"{path} could not be used: {error.strerror}", hint="check the folder's permissions"
        ) from error
    except (ValueError, TypeError) as error:
        raise EngineError(
            f"{path} does not hold an access_key_id and a secret_access_key", hint="remove it to have new ones made"
        ) from error


def _write(path: Path, made: Credentials) -> None:
    """Write the file whole; where another process was first, its file stays."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "w") as stream:
        json.dump(asdict(made), stream, indent=2)
        stream.write("\n")
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
