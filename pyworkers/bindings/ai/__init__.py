"""The AI binding: Workers AI's models by the platform's names, inputs, answers and errors."""

from pyworkers.bindings.ai.service import AIReply, AIService

__all__ = ["AIReply", "AIService"]
