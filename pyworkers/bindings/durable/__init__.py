"""Durable Objects as a worker sees them: namespaces, ids, and what an object finds in its ``ctx``."""

from pyworkers.bindings.durable.host import ObjectHost
from pyworkers.bindings.durable.ids import DurableObjectId, IdFactory
from pyworkers.bindings.durable.namespace import DurableObjectNamespace
from pyworkers.bindings.durable.state import DurableObjectState
from pyworkers.bindings.durable.storage import DurableObjectStorage

__all__ = [
    "DurableObjectId",
    "DurableObjectNamespace",
    "DurableObjectState",
    "DurableObjectStorage",
    "IdFactory",
    "ObjectHost",
]
