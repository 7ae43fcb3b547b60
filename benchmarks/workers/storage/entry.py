"""Times its own calls of bindings, as any worker makes them; every method returns seconds a call."""

from time import perf_counter

from workers import Response, WorkerEntrypoint

KEYS = 1_000


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("storage")

    async def kv_fill(self, size):
        for number in range(KEYS):
            await self.env.KV.put(f"key-{number}", "x" * size)

    async def kv_get(self, count):
        kv = self.env.KV
        started = perf_counter()
        for number in range(count):
            await kv.get(f"key-{number % KEYS}")
        return (perf_counter() - started) / count

    async def kv_put(self, count):
        kv = self.env.KV
        started = perf_counter()
        for number in range(count):
            await kv.put(f"key-{number % KEYS}", "y" * 256)
        return (perf_counter() - started) / count

    async def kv_list(self, count):
        kv = self.env.KV
        started = perf_counter()
        for _ in range(count):
            await kv.list()
        return (perf_counter() - started) / count

    async def d1_fill(self):
        db = self.env.DB
        await db.exec("CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT, score REAL)")
        insert = db.prepare("INSERT INTO users (name, score) VALUES (?, ?)")
        await db.batch([insert.bind(f"user-{number}", number) for number in range(KEYS)])

    async def d1_select(self, count):
        statement = self.env.DB.prepare("SELECT id, name, score FROM users WHERE id = ?")
        started = perf_counter()
        for number in range(count):
            await statement.bind(number % KEYS + 1).first()
        return (perf_counter() - started) / count

    async def d1_batch(self, count):
        db = self.env.DB
        insert = db.prepare("INSERT INTO users (name, score) VALUES (?, ?)")
        started = perf_counter()
        for _ in range(count):
            await db.batch([insert.bind(f"user-{number}", number) for number in range(100)])
        return (perf_counter() - started) / count
