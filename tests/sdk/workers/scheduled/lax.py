"""Handlers with too few parameters, which production refuses too."""

from workers import WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def scheduled(self, controller):
        raise AssertionError

    async def queue(self, batch):
        raise AssertionError
