"""Workflows that list what a step depends on, as before 2026-02-25."""

from workers import WorkflowEntrypoint


class Graph(WorkflowEntrypoint):
    async def run(self, event, step):
        @step.do("one")
        async def first():
            return 1

        @step.do("two", depends=[first])
        async def second(value, ctx):
            return [value, ctx["attempt"]]

        return await second()


class Wrong(WorkflowEntrypoint):
    async def run(self, event, step):
        async def plain():
            pass

        @step.do("one")
        async def one():
            pass

        @step.do("unlisted")
        async def unlisted(value):
            pass

        @step.do("few", depends=[one])
        async def few(a, b):
            pass

        @step.do("undecorated", depends=[plain])
        async def undecorated(value):
            pass

        errors = []
        for broken in (unlisted, few, undecorated):
            try:
                await broken()
            except TypeError as error:
                errors.append(str(error))
        return errors
