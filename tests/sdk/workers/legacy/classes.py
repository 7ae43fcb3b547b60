"""A class of before 2025-08-14: the handler is called on_fetch."""

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def on_fetch(self, request):
        return Response(f"{type(request).__qualname__} {self.env.COLOR}")

    async def scheduled(self, controller, env, ctx):
        print("cron", controller.cron)
