"""A Django application behind a worker, synchronous views and all."""

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

from workers import WorkerEntrypoint, wsgi


def greet(request, name):
    return JsonResponse({"message": f"Hello, {name}!", "method": request.method})


def echo(request):
    return JsonResponse({"received": request.body.decode()}, status=201)


urlpatterns = [path("hello/<str:name>", greet), path("echo", echo)]

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="only-for-this-example")  # noqa: S106
    django.setup()
application = get_wsgi_application()


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await wsgi.fetch(application, request.js_object, self.env, self.ctx)
