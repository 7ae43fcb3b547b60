"""A promise as the result of `async def fetch`, and an awaitable of Python's, which the SDK does not send anywhere."""

import js

from workers import WorkerEntrypoint


class Later:
    def __await__(self):
        raise AssertionError("nobody waits for it")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return js.fetch("data:,a promise") if request.url.endswith("/promise") else Later()
