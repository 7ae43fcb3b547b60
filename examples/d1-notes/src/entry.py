"""Keeps notes in D1: POST {"text": …} adds one, GET lists them."""

from workers import Response

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"


async def fetch(request, env):
    await env.DB.exec(SCHEMA)
    if request.method == "POST":
        note = await request.json()
        insert = env.DB.prepare("INSERT INTO notes (text) VALUES (?) RETURNING id, text")
        added = await insert.bind(note["text"]).first()
        return Response.json(added, status=201)
    found = await env.DB.prepare("SELECT id, text FROM notes ORDER BY id").all()
    return Response.json(found.results)
