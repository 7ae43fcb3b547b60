"""A mirror of the recorder's ``svc_nohandler.mjs``."""

from workers import WorkerEntrypoint


class Default(WorkerEntrypoint):
    pass
