from workers import Response


async def fetch(*everything):
    return Response(str(len(everything)))
