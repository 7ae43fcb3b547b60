"""Signing in: POST /auth/login, /auth/refresh and /auth/logout.

An access token says which session it is of, for a quarter of an hour; the session itself is looked up for each request.
A refresh token is used once and replaced. One that comes a second time was copied: its session ends.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from workers import Response

from .accounts import end_session
from .call import Call, now_ms
from .limits import LOGINS, check_failures, count_failure
from .migrations import ensure_schema
from .passwords import MAX_CHARACTERS, is_password
from .secrets_text import hash_secret, new_refresh_token
from .tokens import encode_token, signing_secret
from .web import HttpError, invalid, json_response, parse_json, read_body

ACCESS_S: Final = 900
SESSION_MS: Final = 30 * 86_400_000
MAX_BODY_BYTES: Final = 16_384
NO_STORE: Final = {"cache-control": "no-store"}

_USER: Final = "SELECT id, tenant_id, email, password_hash FROM users WHERE email = ?1"
_ADD: Final = """INSERT INTO auth_sessions (id, tenant_id, user_id, refresh_hash, created_at_ms, expires_at_ms)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)"""
_ROTATE: Final = """UPDATE auth_sessions SET refresh_hash = ?2, previous_hash = ?1
WHERE refresh_hash = ?1 AND revoked_at_ms IS NULL AND expires_at_ms > ?3 RETURNING id, tenant_id, user_id"""
_END_COPIED: Final = "UPDATE auth_sessions SET revoked_at_ms = ?2 WHERE previous_hash = ?1 AND revoked_at_ms IS NULL"
_END_HELD: Final = "UPDATE auth_sessions SET revoked_at_ms = ?2 WHERE refresh_hash = ?1 AND revoked_at_ms IS NULL"
_DELETE_OLD: Final = "DELETE FROM auth_sessions WHERE expires_at_ms < ?1 OR revoked_at_ms < ?1"


async def log_in(call: Call) -> Response:
    """Make a session for an email and a password.

    Raises:
        HttpError: 401 they do not fit, whichever is wrong; 429 too many attempts for the account.
    """
    secret = signing_secret(call.env)
    body = await _body(call)
    email, password = _text(body, "email").strip().lower(), _text(body, "password")
    db, now = call.env.DB, now_ms()
    account = f"login:{hash_secret(email)[:32]}"
    await check_failures(db, account, LOGINS, now_ms=now)
    user = await db.prepare(_USER).bind(email).first()
    if not await is_password(password, None if user is None else user["password_hash"]) or user is None:
        await count_failure(db, account, LOGINS, now_ms=now)
        raise HttpError(401, "Invalid email or password", code="UNAUTHENTICATED")
    session_id, refresh_token = str(uuid.uuid4()), new_refresh_token()
    values = (session_id, user["tenant_id"], user["id"], hash_secret(refresh_token), now, now + SESSION_MS)
    await db.prepare(_ADD).bind(*values).run()
    return _tokens(session_id, user["id"], user["tenant_id"], refresh_token, secret, now)


async def refresh(call: Call) -> Response:
    """Give new tokens for a refresh token, which is used up.

    Raises:
        HttpError: 401.
    """
    secret = signing_secret(call.env)
    sent = hash_secret(_text(await _body(call), "refreshToken"))
    db, now = call.env.DB, now_ms()
    await ensure_schema(db)
    refresh_token = new_refresh_token()
    row = await db.prepare(_ROTATE).bind(sent, hash_secret(refresh_token), now).first()
    if row is None:
        await db.prepare(_END_COPIED).bind(sent, now).run()
        raise HttpError(401, "The refresh token is not valid", code="UNAUTHENTICATED")
    return _tokens(row["id"], row["user_id"], row["tenant_id"], refresh_token, secret, now)


async def log_out(call: Call) -> Response:
    """End the session that the access token is of, or, once that has expired, the one of `refreshToken`.

    Raises:
        HttpError: 400, the request has no session to end.
    """
    if call.identity.kind == "session" and call.identity.subject_id is not None:
        await end_session(call.data, call.identity.subject_id, now_ms=now_ms())
        return json_response({"success": True}, headers=NO_STORE)
    raw = await read_body(call.request, max_bytes=MAX_BODY_BYTES)
    if not raw.strip():
        raise HttpError(400, "Send the access token of the session to end, or its refreshToken", field="authorization")
    token = hash_secret(_text(_object(raw), "refreshToken"))
    await ensure_schema(call.env.DB)
    await call.env.DB.prepare(_END_HELD).bind(token, now_ms()).run()
    return json_response({"success": True}, headers=NO_STORE)


async def delete_old_sessions(db: Any, *, now_ms: int) -> None:
    """Forget the sessions that have been over for a day."""
    await ensure_schema(db)
    await db.prepare(_DELETE_OLD).bind(now_ms - 86_400_000).run()


def _tokens(session_id: str, user_id: str, tenant_id: str, refresh_token: str, secret: str, now: int) -> Response:
    issued_s = now // 1000
    claims = {"sub": user_id, "tid": tenant_id, "sid": session_id, "iat": issued_s, "exp": issued_s + ACCESS_S}
    return json_response(
        {
            "accessToken": encode_token(claims, secret),
            "refreshToken": refresh_token,
            "tokenType": "Bearer",
            "expiresIn": ACCESS_S,
        },
        headers=NO_STORE,
    )


async def _body(call: Call) -> Mapping[str, Any]:
    return _object(await read_body(call.request, max_bytes=MAX_BODY_BYTES))


def _object(raw: bytes) -> Mapping[str, Any]:
    body = parse_json(raw)
    if not isinstance(body, Mapping):
        raise HttpError(400, "Invalid request: body must be a JSON object", field="body")
    return body


def _text(body: Mapping[str, Any], field: str) -> str:
    value = body.get(field)
    if value is None or value == "":
        raise invalid(field, "required")
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        raise invalid(field, f"must be a string of at most {MAX_CHARACTERS} characters")
    return value
