"""A FastAPI application behind a worker; `env` is in the ASGI scope."""

import asgi
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from workers import WorkerEntrypoint

app = FastAPI()


class Item(BaseModel):
    name: str
    price: float


@app.get("/")
async def greet(request: Request):
    return {"message": request.scope["env"].GREETING}


@app.post("/items", status_code=201)
async def create(item: Item):
    return {"name": item.name, "price_with_tax": round(item.price * 1.2, 2)}


@app.get("/count")
async def count():
    async def numbers():
        for number in range(3):
            yield f"data: {number}\n\n"

    return StreamingResponse(numbers(), media_type="text/event-stream")


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await asgi.fetch(app, request.js_object, self.env, self.ctx)
