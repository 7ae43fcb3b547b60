"""Runs Durable Objects: one instance an id, its gates, alarms, WebSockets, and its life in memory."""

from pyworkers.runtime.durable.objects import DurableObjects
from pyworkers.runtime.durable.stub import DurableObjectStub

__all__ = ["DurableObjectStub", "DurableObjects"]
