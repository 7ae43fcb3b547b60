"""The same module names as its neighbour, another env."""

from helper import color_from_helper

import workers
from workers import WorkerEntrypoint, env

AT_IMPORT = env.COLOR


class Default(WorkerEntrypoint):
    async def colors(self):
        return [AT_IMPORT, env.COLOR, workers.env.COLOR, self.env.COLOR, color_from_helper()]
