"""Key agreement, as far as ECDH and X25519 agree.

Source: workerd, src/workerd/api/crypto/ec.c++
"""

from __future__ import annotations

from typing import TypeVar

from pyworkers.js.crypto.arguments import DeriveKeyAlgorithm
from pyworkers.js.crypto.asymmetric import AsymmetricMaterial
from pyworkers.js.crypto.keys import invalid_access, operation_error
from pyworkers.js.values import type_error

Peer = TypeVar("Peer", bound=AsymmetricMaterial)


def peer_of(own: AsymmetricMaterial, algorithm: DeriveKeyAlgorithm, kind: type[Peer]) -> Peer:
    """Return the other side's public key.

    Args:
        kind: the family that it must be of.

    Raises:
        JsException: TypeError, when there is none; InvalidAccessError, when the two do not go together.
    """
    if not own.is_private:
        raise invalid_access(f'The deriveBits operation is only valid for a private key, not "{own.type}".')
    if algorithm.public is None:
        raise type_error('Missing field "public" in "derivedKeyParams".')
    peer = algorithm.public.material
    if peer.type != "public":
        raise invalid_access(f'The provided key has type "{peer.type}", not "public"')
    if not isinstance(peer, kind):
        raise invalid_access(
            f"Base {own.name} private key cannot be used to derive a key from a peer {peer.name} public key"
        )
    if peer.name != own.name:
        raise invalid_access(
            f'Private key for derivation is using "{own.name}" while public key is using "{peer.name}".'
        )
    return peer


def first_bits(secret: bytes, length: int | None) -> bytes:
    """Return the first bits of a shared secret; those beyond ``length`` in the last byte are cleared.

    Raises:
        JsException: OperationError, when there are not so many.
    """
    available = len(secret) * 8
    if length is None:
        return secret
    if length > available:
        raise operation_error(f"Derived key length ({length} bits) is too long (should be at most {available} bits).")
    size = (length + 7) // 8
    spare = size * 8 - length
    return secret[:size] if not spare else secret[: size - 1] + bytes([secret[size - 1] & (0xFF << spare) & 0xFF])
