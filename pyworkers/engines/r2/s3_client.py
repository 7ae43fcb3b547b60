"""boto3's client of an S3 endpoint, and what its failures are called.

boto3 is imported, and the client made, by the first call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pyworkers.engines.r2.protocol import NoSuchUpload
from pyworkers.engines.r2.transfer import in_thread
from pyworkers.errors import EngineClosed, EngineError

R = TypeVar("R")

MISSING_KEY: Final = ("NoSuchKey", "404", "NotFound")
MISSING_UPLOAD: Final = "NoSuchUpload"
FAILED_CONDITION: Final = ("PreconditionFailed", "ConditionalRequestConflict", "412")
_CONNECTIONS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """An S3 endpoint.

    Attributes:
        endpoint_url: of the endpoint; None is Amazon's.
        region: as the endpoint names it.
        access_key_id, secret_access_key: None takes those that boto3 finds.
    """

    endpoint_url: str | None = None
    region: str = "auto"
    access_key_id: str | None = None
    secret_access_key: str | None = None


class Refused(EngineError):
    """The endpoint refused a request.

    Args:
        reason: S3's code.
    """

    code = "s3-refused"

    def __init__(self, message: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class S3Client:
    """Calls of one bucket on an endpoint, each on a thread of the loop's pool.

    Args:
        bucket: its name there.
    """

    def __init__(self, settings: S3Settings, bucket: str) -> None:
        self.bucket = bucket
        self._settings = settings
        self._client: Any = None
        self._mutex = threading.Lock()
        self._is_closed = False

    async def call(self, name: str, **arguments: Any) -> Any:
        """Call a method of boto3's client and return its answer.

        Raises:
            Refused: the endpoint refused.
            EngineError: it could not be reached.
        """
        if self._is_closed:
            raise EngineClosed("the R2 bucket is closed")
        return await self.run(lambda: getattr(self._open(), name)(Bucket=self.bucket, **arguments))

    async def run(self, work: Callable[[], R]) -> R:
        """Run work on a thread, after `close` too; boto3's failures become the project's."""

        def run() -> R:
            with self._errors():
                return work()

        return await in_thread(run)

    async def close(self) -> None:
        """Give the connections back; idempotent."""
        self._is_closed = True
        client, self._client = self._client, None
        if client is not None:
            await in_thread(client.close)

    def _open(self) -> Any:
        with self._mutex:
            if self._client is None:
                self._client = _make_client(self._settings)
            return self._client

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        place = self._settings.endpoint_url or "Amazon S3"
        try:
            yield
        except ClientError as error:
            raise self._refused(error.response.get("Error", {}), place) from error
        except HTTPClientError as error:
            raise EngineError(
                f"the S3 endpoint {place} could not be reached: {error}",
                hint="check endpoint_url in [tool.pyworkers.s3], and that the server runs",
            ) from error
        except BotoCoreError as error:
            raise EngineError(
                f"a request to the S3 endpoint {place} could not be made: {error}",
                hint="check [tool.pyworkers.s3] and the variables that it names",
            ) from error

    def _refused(self, error: dict[str, str], place: str) -> EngineError:
        reason, text = error.get("Code", ""), error.get("Message", "")
        if reason == MISSING_UPLOAD:
            return NoSuchUpload("the upload is not under way")
        hints = {
            "NoSuchBucket": f"make the bucket {self.bucket} there, or name another in [tool.pyworkers.s3.buckets]",
            "InvalidAccessKeyId": "check the variables that [tool.pyworkers.s3] names",
            "SignatureDoesNotMatch": "check the variables that [tool.pyworkers.s3] names",
        }
        message = f"the S3 endpoint {place} refused a request for the bucket {self.bucket}: {reason}: {text}"
        return Refused(message, reason, hint=hints.get(reason))


def _make_client(settings: S3Settings) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        max_pool_connections=_CONNECTIONS,
        # Checksums of our own choice only: many endpoints know none of the newer ones.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=settings.endpoint_url,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        config=config,
    )
