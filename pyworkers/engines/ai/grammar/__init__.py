"""JSON Schema → GBNF, the grammar that holds llama.cpp to JSON.

Our own, since the engines' converters let raw control characters through, ignore number bounds, or allow endless
white space: what they allow does not always parse. Ours is compact JSON in which everything is bounded.
"""

from pyworkers.engines.ai.grammar.schema import JSON_OBJECT, Budget, schema_to_gbnf
from pyworkers.engines.ai.grammar.tools import TOOL_CALL_OPEN, parse_tool_calls, tools_to_gbnf
from pyworkers.engines.ai.grammar.validate import parse_json

__all__ = [
    "JSON_OBJECT",
    "TOOL_CALL_OPEN",
    "Budget",
    "parse_json",
    "parse_tool_calls",
    "schema_to_gbnf",
    "tools_to_gbnf",
]
