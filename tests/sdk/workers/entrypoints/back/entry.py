"""Entrypoint classes of every build, and RPC methods of every kind."""

import datetime

from imported import Imported  # noqa: F401  # an imported class is an entrypoint too

from workers import Response, WorkerEntrypoint

created = []


def full_name(value):
    return f"{type(value).__module__}.{type(value).__qualname__}"


class Default(WorkerEntrypoint):
    attribute = 7

    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.calls = 0
        created.append(self)

    async def fetch(self, request):
        self.calls += 1
        headers = {
            "x-calls": self.calls,
            "x-color": self.env.COLOR,
            "x-length": request.headers["content-length"] or "",
        }
        return Response(f"{request.method.value} {request.url} {await request.text()}", headers=headers)

    async def count(self):
        self.calls += 1
        return [self.calls, len(created)]

    def sync(self, number):
        return number * 2

    async def parts(self):
        return [full_name(self.env), full_name(self.ctx), repr(self.ctx), self.ctx.constructor.name]

    async def echo(self, value=None):
        return value

    async def types(self, *values):
        return [full_name(value) for value in values]

    async def defaults(self, a, b=2, c=3):
        return [a, b, c]

    async def _private(self):
        return "private"

    async def nothing(self):
        pass

    async def unsendable(self, kind):
        return {"tuple": (1,), "object": object(), "bytearray": bytearray(b"x"), "class": datetime.date(2020, 1, 2)}[
            kind
        ]

    async def fail(self, kind, message):
        raise {"ValueError": ValueError, "KeyError": KeyError, "TypeError": TypeError}[kind](message)

    async def fail_in_javascript(self, message):
        import js

        raise js.RangeError.new(message)

    async def adder(self, base):
        def add(number):
            return base + number

        return add

    async def functions(self):
        async def slow(word):
            return word.upper()

        return {"slow": slow, "both": [len]}

    async def apply(self, function, *args):
        return await function(*args)

    async def apply_method(self, stub, *args):
        return full_name(stub), await stub(*args)

    async def answer(self):
        return Response("from rpc", status=201)

    async def is_same(self, left, right):
        return left is right

    async def change(self, value):
        value["changed"] = True
        return value


class Named(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(f"named {self.ctx.props.user}")

    async def props(self):
        return self.ctx.props

    async def inside(self):
        return self.ctx.props.nothing.inside


class Parent(WorkerEntrypoint):
    def __init__(self, ctx, env):
        self.seen = [full_name(env)]
        super().__init__(ctx, env)


class Child(Parent):
    pass


class Grandchild(Child):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.seen.append(full_name(env))
        self.same = self.env is env

    async def look(self):
        return [*self.seen, self.same, self.env.COLOR]


class Bare(WorkerEntrypoint):
    def __init__(self, ctx, env):
        self.color = env.COLOR  # without super().__init__, which is allowed

    async def fetch(self):
        return Response(self.color)

    async def has_env(self):
        return [hasattr(self, "env"), hasattr(self, "ctx")]
