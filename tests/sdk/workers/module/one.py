from workers import Response


def fetch(request):
    return Response(f"one {request.method.value}")
