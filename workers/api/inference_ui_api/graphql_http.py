"""GraphQL over HTTP: POST with JSON, GET for queries.

Source: graphql.github.io/graphql-over-http/draft (2025-11): statuses depend on the media type that the client accepts.
With application/graphql-response+json a request that was not executed is 400; with application/json, of older clients,
it is 200, for there an HTTP error means that no GraphQL server answered.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSyntaxError,
    OperationType,
    execute,
    get_operation_ast,
    parse,
    validate,
)

from workers import Response

from .accounts import BadAccount
from .call import Call
from .event_queries import BadArgument
from .flow_store import BadFlow
from .graphiql import graphiql_page, wants_page
from .graphql_limits import check_limits, root_fields
from .graphql_schema import PUBLIC_FIELDS, api_schema
from .identity import unauthorized
from .secrets_text import redact
from .web import HttpError, header, json_response, parse_json, read_body

MAX_BODY_BYTES = 1_048_576
KEPT_DOCUMENTS = 256
MAX_TOKENS = 5000  # of a document; a bound on what parsing and validating may cost
JSON_TYPE = "application/json"
GRAPHQL_TYPE = "application/graphql-response+json"

# Errors whose text is for the client. Others are the server's own; their text stays in its log.
_CLIENT_ERRORS = (BadArgument, BadFlow, BadAccount)
_NOT_PERSISTED = GraphQLError("PersistedQueryNotSupported", extensions={"code": "PERSISTED_QUERY_NOT_SUPPORTED"})


@dataclass(frozen=True, slots=True)
class Parameters:
    """A GraphQL request."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


class BadRequest(Exception):
    """A request that is no GraphQL request.

    Args:
        status: the HTTP status, whatever media type is accepted.
    """

    def __init__(self, message: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.headers = dict(headers or {})


class NotExecutable(Exception):
    """A document that cannot be parsed or does not fit the schema."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


async def answer_graphql(call: Call) -> Response:
    """Answer a GraphQL request.

    Raises:
        HttpError: 413 the body is too long.
    """
    if call.method != "POST" and wants_page(call):
        return graphiql_page()
    accepted = _negotiate(header(call.request, "accept"))
    try:
        parameters = await _read(call)
        document = _read_document(parameters.query)
        if call.method != "POST":
            _refuse_mutation(document, parameters.operation_name)
        _check_operation(call, document, parameters)
    except BadRequest as error:
        return _response([{"message": error.message}], accepted, error.status, error.headers)
    except NotExecutable as error:
        formatted = [cause.formatted for cause in error.errors]
        return _response(formatted, accepted, 400 if accepted == GRAPHQL_TYPE else 200)
    except HttpError as error:
        return _refusal(error, accepted)
    return await _execute(call, document, parameters, accepted)


async def _execute(call: Call, document: DocumentNode, parameters: Parameters, accepted: str) -> Response:
    outcome = execute(
        api_schema(),
        document,
        context_value=call,
        variable_values=parameters.variables,
        operation_name=parameters.operation_name,
    )
    result = outcome if isinstance(outcome, ExecutionResult) else await outcome
    errors = [_formatted(error) for error in result.errors or ()]
    # Errors without data and without a path: the request could not be executed at all, as with wrong variables.
    if result.data is None and errors and not any("path" in error for error in errors):
        return _response(errors, accepted, 400 if accepted == GRAPHQL_TYPE else 200)
    body = {"errors": errors, "data": result.data} if errors else {"data": result.data}
    return json_response(body, headers={"content-type": f"{accepted}; charset=utf-8", "cache-control": "no-store"})


def _formatted(error: GraphQLError) -> dict[str, Any]:
    cause = error.original_error
    formatted: dict[str, Any] = dict(error.formatted)
    if cause is None or isinstance(cause, GraphQLError):
        return formatted
    if isinstance(cause, HttpError):
        return {**formatted, "extensions": {"code": cause.code or "BAD_USER_INPUT", **cause.details}}
    if isinstance(cause, _CLIENT_ERRORS):
        return {**formatted, "extensions": {"code": "BAD_USER_INPUT"}}
    print(redact("".join(traceback.format_exception(cause))))  # for the worker's log
    return {**formatted, "message": "Internal server error", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}


def _refusal(error: HttpError, accepted: str) -> Response:
    """Return a 401, as GraphQL says errors; older clients find the plain API's words beside them."""
    text = f"{error.message}: {error.details['message']}" if "message" in error.details else error.message
    body: dict[str, Any] = {"errors": [{"message": text, "extensions": {"code": error.code}}]}
    if accepted == JSON_TYPE:
        body |= {"error": error.message, **error.details}
    fields = {"content-type": f"{accepted}; charset=utf-8", "cache-control": "no-store", **error.headers}
    return json_response(body, status=error.status, headers=fields)


def _response(errors: list[Any], accepted: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    fields = {"content-type": f"{accepted}; charset=utf-8", "cache-control": "no-store", **(headers or {})}
    return json_response({"errors": errors}, status=status, headers=fields)


# -- the request ------------------------------------------------------------------------------------


async def _read(call: Call) -> Parameters:
    if call.method != "POST":
        fields: dict[str, Any] = dict(parse_qsl(call.url.query, keep_blank_values=True))
        for name in ("variables", "extensions"):
            if name in fields:
                fields[name] = _json_field(name, fields[name])
        return _parameters(fields)
    media_type = (header(call.request, "content-type") or "none").partition(";")[0].strip().lower()
    if media_type != JSON_TYPE:
        raise BadRequest(f"Unsupported content type: {media_type}; send {JSON_TYPE}", status=415)
    raw = await read_body(call.request, max_bytes=MAX_BODY_BYTES)
    try:
        body = parse_json(raw)
    except HttpError as error:
        raise BadRequest(error.message, status=error.status) from error
    if isinstance(body, list):
        raise BadRequest("Batched requests are not supported; send one operation a request")
    if not isinstance(body, Mapping):
        raise BadRequest("The body must be a JSON object")
    return _parameters(body)


def _parameters(fields: Mapping[str, Any]) -> Parameters:
    query, extensions = fields.get("query"), fields.get("extensions")
    if query is None or query == "":
        if isinstance(extensions, Mapping) and "persistedQuery" in extensions:
            raise NotExecutable([_NOT_PERSISTED])  # Apollo's and urql's clients then send the query itself
        raise BadRequest("Missing query parameter")
    if not isinstance(query, str):
        raise BadRequest('"query" must be a string')
    name = fields.get("operationName")
    if name is not None and not isinstance(name, str):
        raise BadRequest('"operationName" must be a string')
    variables = fields.get("variables")
    if variables is not None and not isinstance(variables, Mapping):
        raise BadRequest('"variables" must be an object')
    if extensions is not None and not isinstance(extensions, Mapping):
        raise BadRequest('"extensions" must be an object')
    return Parameters(query, None if variables is None else dict(variables), name or None)


def _json_field(name: str, text: str) -> Any:
    if not text:
        return None
    try:
        return parse_json(text.encode())
    except HttpError:
        raise BadRequest(f'"{name}" must be JSON') from None


@lru_cache(maxsize=KEPT_DOCUMENTS)
def _read_document(query: str) -> DocumentNode:
    """Return a document that fits the schema; those seen lately are kept, for clients send the same few ever again.

    Raises:
        NotExecutable: it does not.
    """
    try:
        document = parse(query, max_tokens=MAX_TOKENS)
        errors = validate(api_schema(), document)
    except GraphQLSyntaxError as error:
        raise NotExecutable([error]) from error
    except RecursionError:
        raise NotExecutable([GraphQLError("The document is nested too deeply")]) from None
    if errors:
        raise NotExecutable(errors)
    return document


def _check_operation(call: Call, document: DocumentNode, parameters: Parameters) -> None:
    """Refuse an operation that is too large, or that needs a key where there is none.

    Raises:
        NotExecutable: it is too deep or costs too much.
        HttpError: 401.
    """
    operation = get_operation_ast(document, parameters.operation_name)
    if operation is None:
        return  # no such operation, or several and none named: executing it says so
    try:
        check_limits(api_schema(), document, operation, parameters.variables or {})
    except GraphQLError as error:
        raise NotExecutable([error]) from error
    if call.identity.is_anonymous:
        private = {name for name in root_fields(document, operation) if not name.startswith("__")} - PUBLIC_FIELDS
        if private:
            raise unauthorized("Valid API key required.")


def _refuse_mutation(document: DocumentNode, name: str | None) -> None:
    operation = get_operation_ast(document, name)
    if operation is not None and operation.operation is not OperationType.QUERY:
        raise BadRequest("Mutations are sent by POST", status=405, headers={"allow": "POST"})


def _negotiate(accept: str | None) -> str:
    """Return the media type of the answer: what the client prefers, application/json where it does not say."""
    best, best_quality = JSON_TYPE, -1.0
    for item in (accept or "*/*").split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        quality = next((_quality(part[2:]) for part in parameters if part.startswith("q=")), 1.0)
        chosen = {GRAPHQL_TYPE: GRAPHQL_TYPE, JSON_TYPE: JSON_TYPE}.get(media_type)
        if chosen is None and media_type in ("*/*", "application/*"):
            chosen = JSON_TYPE
            quality -= 0.0001  # a type by name goes before a wildcard
        if chosen is not None and quality > best_quality:
            best, best_quality = chosen, quality
    return best


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
