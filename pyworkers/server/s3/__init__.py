"""The S3 API at ``/cdn-cgi/s3``; what it needs is imported by the first request."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Final

from pyworkers.errors import EngineError
from pyworkers.server.access import AccessLog
from pyworkers.server.ingress import Receive, Scope, Send
from pyworkers.server.s3.credentials import Credentials, project_credentials

if TYPE_CHECKING:
    from pyworkers.runtime.runtime import Runtime
    from pyworkers.server.s3.gateway import S3Gateway

S3_ROOT: Final = "/cdn-cgi/s3"


class S3Route:
    """The route of the S3 API.

    Args:
        runtime: whose buckets are served.
        log: where its requests are written.
    """

    def __init__(self, runtime: Runtime, log: AccessLog) -> None:
        self._runtime = runtime
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started_s = perf_counter()
        status = await self._gateway(scope, receive, send)
        self._log.request(
            scope["method"], scope["path"], status, started_s=started_s, bindings={}, prints=self._log.prints()
        )

    def describe(self, url: str) -> Iterator[str]:
        """Yield lines for the start of the server: where the API is, and what signs its requests.

        Args:
            url: of the server.
        """
        if not any(config.r2_buckets for config in self._runtime.project.workers):
            return
        try:
            credentials = self.credentials
        except EngineError as error:
            yield f"S3 API: {error.message}"
            return
        yield f"S3 API  {url}{S3_ROOT}"
        yield f"        access key {credentials.access_key_id}"
        yield f"        secret key {credentials.secret_access_key}"

    @cached_property
    def credentials(self) -> Credentials:
        """What requests are signed with.

        Raises:
            EngineError: the file that holds them cannot be used.
        """
        return project_credentials(self._runtime.stores.state_dir)

    @cached_property
    def _gateway(self) -> S3Gateway:
        from pyworkers.server.s3.gateway import S3Gateway

        return S3Gateway(self._runtime, self.credentials)
