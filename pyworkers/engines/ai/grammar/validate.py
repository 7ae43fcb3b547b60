"""Checks what a model said against the schema it was held to."""

from __future__ import annotations

import json

from pyworkers.engines.ai.errors import InvalidSchema, StructuredOutputUnmet
from pyworkers.engines.ai.protocol import Json, JsonSchema

__all__ = ["is_valid", "parse_json", "what_is_wrong"]


def parse_json(text: str, schema: JsonSchema) -> Json:
    """Parse the text of an answer and validate it.

    Raises:
        StructuredOutputUnmet: it is not JSON, or does not satisfy the schema.
        InvalidSchema: the schema is not one.
    """
    import jsonschema  # imported when first used: 60 ms

    try:
        value: Json = json.loads(text)
    except ValueError as error:
        raise StructuredOutputUnmet(f"the model's answer is not JSON: {error}", text=text) from None
    try:
        # Draft 2020-12 unless `$schema` says otherwise; no format checks, as in the draft itself.
        jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)(schema).validate(value)
    except jsonschema.ValidationError as error:
        raise StructuredOutputUnmet(
            f"the model's answer does not satisfy the JSON schema at {error.json_path}: {error.message}", text=text
        ) from None
    except Exception as error:  # a broken schema fails in many ways: SchemaError, unresolvable $ref, TypeError
        raise InvalidSchema(f"the JSON schema cannot be used: {error}", hint="correct `response_format`") from error
    return value


def what_is_wrong(schema: object) -> str | None:
    """Return where a schema is none and why; None where its own schema has nothing against it."""
    import jsonschema

    validator = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    error = jsonschema.exceptions.best_match(validator(validator.META_SCHEMA).iter_errors(schema))
    return None if error is None else f"{error.json_path}: {error.message}"


def is_valid(value: Json, schema: JsonSchema) -> bool:
    """Return whether ``value`` satisfies ``schema``; a schema that cannot be used is satisfied by nothing."""
    try:
        parse_json(json.dumps(value), schema)
    except (StructuredOutputUnmet, InvalidSchema):
        return False
    return True
