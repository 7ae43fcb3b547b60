from workers import WorkerEntrypoint


class Imported(WorkerEntrypoint):
    async def where(self):
        return __name__.rpartition(".")[2]
