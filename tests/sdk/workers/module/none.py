import js


async def fetch():
    return js.Response.new("none", status=201)
