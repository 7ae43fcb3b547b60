"""Returns what the query asks for."""

import js

from workers import Response

VALUES = {
    "none": lambda: None,
    "str": lambda: "text",
    "dict": lambda: {"a": 1},
    "list": lambda: [1],
    "bytes": lambda: b"x",
    "int": lambda: 5,
    "tuple": lambda: (1,),
    "object": object,
    "class": lambda: Response,
    "clone": lambda: Response("x").clone(),
    "request": lambda: js.Request.new("https://x.test"),
    "coroutine": lambda: later("late"),
    "js": lambda: js.Response.new("js"),
    "redirect": lambda: Response.redirect("https://x.test/"),
    "promise": lambda: js.Promise.resolve(js.Response.new("promise")),
}


async def later(text):
    return Response(text)


def fetch(request):
    return VALUES[request.url.partition("?")[2]]()
