"""Stores request bodies: /kv/KEY, /d1/KEY, /r2/KEY and /r2-parts/KEY, with PUT, GET and DELETE."""

from urllib.parse import urlsplit

from workers import Response

# A body is written to D1 with as many rows, in one batch: they are all there, or none is.
ROWS = 5


async def fetch(request, env):
    _, binding, key = urlsplit(request.url).path.split("/", 2)
    body = await request.text() if request.method == "PUT" else None
    try:
        found = await HANDLERS[binding, request.method](env, key, body)
    except Exception as error:
        # What the worker caught: the type's name and the text.
        return Response(f"{type(error).__name__}: {error}", status=500)
    return Response("none", status=404) if found is None else Response(found)


async def put_kv(env, key, body):
    await env.KV.put(key, body)
    return "stored"


async def get_kv(env, key, _):
    return await env.KV.get(key)


async def delete_kv(env, key, _):
    await env.KV.delete(key)
    return "deleted"


async def make_tables(env, _key, _):
    await env.DB.exec("CREATE TABLE IF NOT EXISTS items (key TEXT PRIMARY KEY, body TEXT)")
    await env.DB.exec("CREATE TABLE IF NOT EXISTS parts (key TEXT, part INTEGER, mark TEXT, PRIMARY KEY (key, part))")
    return "made"


async def put_d1(env, key, body):
    mark = body[:40]
    statements = [
        env.DB.prepare("INSERT OR REPLACE INTO items VALUES (?, ?)").bind(key, body),
        env.DB.prepare("DELETE FROM parts WHERE key = ?").bind(key),
        *(env.DB.prepare("INSERT INTO parts VALUES (?, ?, ?)").bind(key, part, mark) for part in range(ROWS)),
    ]
    await env.DB.batch(statements)
    return "stored"


async def get_d1(env, key, _):
    row = await env.DB.prepare("SELECT body FROM items WHERE key = ?").bind(key).first()
    count = await env.DB.prepare("SELECT count(*) AS n FROM parts WHERE key = ?").bind(key).first("n")
    if row is None:
        return f"{count} parts without an item" if count else None
    same = env.DB.prepare("SELECT count(*) AS n FROM parts WHERE key = ? AND mark = ?").bind(key, row.body[:40])
    if count != ROWS or await same.first("n") != ROWS:
        return f"a torn batch: {count} parts"
    return row.body


async def delete_d1(env, key, _):
    await env.DB.batch(
        [
            env.DB.prepare("DELETE FROM items WHERE key = ?").bind(key),
            env.DB.prepare("DELETE FROM parts WHERE key = ?").bind(key),
        ]
    )
    return "deleted"


async def put_r2(env, key, body):
    await env.BUCKET.put(key, body)
    return "stored"


async def put_r2_in_parts(env, key, body):
    upload = await env.BUCKET.createMultipartUpload(key)
    part = await upload.uploadPart(1, body)
    await upload.complete([part])
    return "stored"


async def get_r2(env, key, _):
    found = await env.BUCKET.get(key)
    return None if found is None else await found.text()


async def delete_r2(env, key, _):
    await env.BUCKET.delete(key)
    return "deleted"


HANDLERS = {
    ("kv", "PUT"): put_kv,
    ("kv", "GET"): get_kv,
    ("kv", "DELETE"): delete_kv,
    ("d1", "POST"): make_tables,
    ("d1", "PUT"): put_d1,
    ("d1", "GET"): get_d1,
    ("d1", "DELETE"): delete_d1,
    ("r2", "PUT"): put_r2,
    ("r2-parts", "PUT"): put_r2_in_parts,
    ("r2", "GET"): get_r2,
    ("r2", "DELETE"): delete_r2,
}
