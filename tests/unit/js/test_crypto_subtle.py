"""crypto.subtle through Python's ways, against published vectors and against Node's."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pyworkers.js.convert import to_js
from pyworkers.js.realm import REALM, Realm
from pyworkers.js.scope import module as js
from pyworkers.js.values import JsException, JsObject

subtle = js.crypto.subtle


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(work())  # type: ignore[arg-type]  # a coroutine function's


def data(text: str) -> Any:
    return to_js(bytes.fromhex(text))


def options(**values: Any) -> Any:
    return to_js(values, dict_converter=js.Object.fromEntries)


async def imported(secret: str, algorithm: Any, *usages: str) -> Any:
    return await subtle.importKey("raw", data(secret), algorithm, False, to_js(list(usages)))


async def rejection(promise: Awaitable[Any]) -> tuple[str, str]:
    with pytest.raises(JsException) as caught:
        await promise
    return caught.value.name, caught.value.message


# ---- published vectors


@pytest.mark.parametrize(
    ("key", "iv", "aad", "plain", "expected"),
    [
        # Wycheproof aes_gcm_test.json, tcId 1 and 3
        (
            "5b9604fe14eadba931b0ccf34843dab9",
            "028318abc1824029138141a2",
            "",
            "001d0c231287c1182784554ca3a21908",
            "26073cc1d851beff176384dc9896d5ff0a3ea7a5487cb5f7d70fb6c58d038554",
        ),
        (
            "aa023d0478dcb2b2312498293d9a9129",
            "0432bc49ac34412081288127",
            "aac39231129872a2",
            "2035af313d1346ab00154fea78322105",
            "eea945f3d0f98cc0fbab472a0cf24e87",
        ),
        # NIST GCM specification, test case 5: a vector of 8 bytes
        (
            "feffe9928665731c6d6a8f9467308308",
            "cafebabefacedbad",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
            "b16aedf5aa0de657ba637b39",
            "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b22b097544d4896b42"
            "4989b5e1ebac0f07c23f4598",
        ),
    ],
)
def test_aes_gcm_gives_the_published_ciphertext(key: str, iv: str, aad: str, plain: str, expected: str) -> None:
    async def work() -> Any:
        secret = await imported(key, "AES-GCM", "encrypt", "decrypt")
        how = options(name="AES-GCM", iv=bytes.fromhex(iv), additionalData=bytes.fromhex(aad))
        encrypted = await subtle.encrypt(how, secret, data(plain))
        decrypted = await subtle.decrypt(how, secret, encrypted)
        return encrypted.to_bytes().hex(), decrypted.to_bytes().hex()

    encrypted, decrypted = run(work)
    assert (encrypted[: len(expected)], decrypted) == (expected, plain)


@pytest.mark.parametrize("position", [0, 20, 31])
def test_aes_gcm_refuses_a_changed_bit_anywhere(position: int) -> None:
    async def work() -> tuple[str, str]:
        secret = await imported("5b9604fe14eadba931b0ccf34843dab9", "AES-GCM", "decrypt")
        changed = bytearray.fromhex("26073cc1d851beff176384dc9896d5ff0a3ea7a5487cb5f7d70fb6c58d038554")
        changed[position] ^= 1
        how = options(name="AES-GCM", iv=bytes.fromhex("028318abc1824029138141a2"))
        return await rejection(subtle.decrypt(how, secret, to_js(bytes(changed))))

    assert run(work)[0] == "OperationError"


def test_aes_kw_wraps_as_rfc_3394_says() -> None:
    async def work() -> Any:
        wrapping = await imported("000102030405060708090a0b0c0d0e0f", "AES-KW", "wrapKey", "unwrapKey")
        key = await subtle.importKey(
            "raw", data("00112233445566778899aabbccddeeff"), "AES-CBC", True, to_js(["encrypt"])
        )
        return (await subtle.wrapKey("raw", key, wrapping, "AES-KW")).to_bytes().hex()

    assert run(work) == "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"


def test_hkdf_derives_as_rfc_5869_says() -> None:
    async def work() -> Any:
        key = await imported("0b" * 22, "HKDF", "deriveBits")
        salt, info = bytes.fromhex("000102030405060708090a0b0c"), bytes.fromhex("f0f1f2f3f4f5f6f7f8f9")
        bits = await subtle.deriveBits(options(name="HKDF", hash="SHA-256", salt=salt, info=info), key, 42 * 8)
        return bits.to_bytes().hex()

    assert run(work) == ("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")


def test_pbkdf2_derives_as_rfc_6070_says_and_the_loop_goes_on_meanwhile() -> None:
    async def work() -> Any:
        key = await subtle.importKey("raw", to_js(b"password"), "PBKDF2", False, to_js(["deriveBits"]))
        how = options(name="PBKDF2", hash="SHA-1", salt=b"salt", iterations=4096)
        promise = subtle.deriveBits(how, key, 160)
        is_pending = not promise.is_settled
        return is_pending, (await promise).to_bytes().hex()

    assert run(work) == (True, "4b007901b765489abead49d926f721d065a429c1")


def test_ed25519_signs_as_rfc_8032_says() -> None:
    async def work() -> Any:
        private = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
        pkcs8 = data("302e020100300506032b657004220420" + private)
        key = await subtle.importKey("pkcs8", pkcs8, "Ed25519", False, to_js(["sign"]))
        return (await subtle.sign("Ed25519", key, to_js(b""))).to_bytes().hex()

    assert run(work) == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b"
    )


def test_x25519_agrees_as_rfc_7748_says() -> None:
    async def work() -> Any:
        scalar = "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"
        pkcs8 = data("302e020100300506032b656e04220420" + scalar)
        private = await subtle.importKey("pkcs8", pkcs8, "X25519", False, to_js(["deriveBits"]))
        point = data("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
        public = await subtle.importKey("raw", point, "X25519", False, to_js([]))
        bits = await subtle.deriveBits(JsObject({"name": "X25519", "public": public}), private, 256)
        return bits.to_bytes().hex()

    assert run(work) == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"


# ---- Python's ways


def test_a_round_trip_with_keywords_arrays_and_buffers() -> None:
    async def work() -> Any:
        key = await subtle.generateKey(options(name="AES-GCM", length=256), True, to_js(["encrypt", "decrypt"]))
        iv = js.crypto.getRandomValues(js.Uint8Array.new(12))
        how = js.Object.fromEntries(to_js([["name", "AES-GCM"], ["iv", iv]]))
        encrypted = await subtle.encrypt(how, key, js.TextEncoder.new().encode("héllo"))
        text = js.TextDecoder.new().decode(await subtle.decrypt(how, key, encrypted))
        return text, key.type, key.usages.to_py(), key.algorithm.to_py(), str(key)

    assert run(work) == (
        "héllo",
        "secret",
        ["encrypt", "decrypt"],
        {"name": "AES-GCM", "length": 256},
        "[object CryptoKey]",
    )


def test_python_objects_that_were_not_converted_are_refused_and_the_console_says_why() -> None:
    told: list[Any] = []

    async def work() -> Any:
        REALM.set(Realm(console=lambda level, args: told.append((level, args[0]))))
        return await rejection(subtle.digest("SHA-256", b"abc")), await rejection(
            subtle.digest({"name": "SHA-1"}, None)
        )

    first, second = run(work)
    assert first == (
        "TypeError",
        "Failed to execute 'digest' on 'SubtleCrypto': parameter 2 is not of type 'Array'.",
    )
    assert second == first
    assert told == [
        ("warn", "Python bytes were passed to crypto.subtle, which cannot see into them. Pass to_js(data)."),
    ]


def test_an_rsa_pair_is_made_in_a_thread_and_signs() -> None:
    async def work() -> Any:
        how = options(name="RSASSA-PKCS1-v1_5", modulusLength=1024, publicExponent=b"\x01\x00\x01", hash="SHA-256")
        promise = subtle.generateKey(how, False, to_js(["sign", "verify"]))
        is_pending = not promise.is_settled
        pair = await promise
        signature = await subtle.sign("RSASSA-PKCS1-v1_5", pair.privateKey, to_js(b"m"))
        good = await subtle.verify("RSASSA-PKCS1-v1_5", pair.publicKey, signature, to_js(b"m"))
        bad = await subtle.verify("RSASSA-PKCS1-v1_5", pair.publicKey, signature, to_js(b"n"))
        return is_pending, good, bad

    assert run(work) == (True, True, False)


# ---- Node's webcrypto as the other side

NODE_SIDE = """
const { subtle } = require("node:crypto").webcrypto;
const b = (hex) => Buffer.from(hex, "hex");
const hex = (data) => Buffer.from(data).toString("hex");
(async () => {
  const { jwk, algorithm, signature } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  const publicKey = await subtle.importKey("jwk", jwk, algorithm, true, ["verify"]);
  const isRight = await subtle.verify(algorithm, publicKey, b(signature), b("6d"));
  const pair = await subtle.generateKey(
    { ...algorithm, modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }, true, ["sign", "verify"]);
  const own = await subtle.sign(algorithm, pair.privateKey, b("6d"));
  const spki = await subtle.exportKey("spki", pair.publicKey);
  const pkcs8 = await subtle.exportKey("pkcs8", pair.privateKey);
  process.stdout.write(JSON.stringify({ isRight, signature: hex(own), spki: hex(spki), pkcs8: hex(pkcs8) }));
})();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed; it is the other side of this test")
@pytest.mark.parametrize(
    "algorithm",
    [
        {"name": "ECDSA", "namedCurve": "P-256", "hash": "SHA-256"},
        {"name": "ECDSA", "namedCurve": "P-521", "hash": "SHA-512"},
        {"name": "RSA-PSS", "hash": "SHA-256", "saltLength": 32},
        {"name": "RSASSA-PKCS1-v1_5", "hash": "SHA-384"},
        {"name": "Ed25519"},
    ],
    ids=lambda algorithm: f"{algorithm['name']}-{algorithm.get('namedCurve', '')}",
)
def test_node_verifies_what_we_sign_and_we_what_it_signs(algorithm: dict[str, Any]) -> None:
    async def work() -> Any:
        how = options(**algorithm)
        made = options(**algorithm, modulusLength=2048, publicExponent=b"\x01\x00\x01")
        pair = await subtle.generateKey(made, True, to_js(["sign", "verify"]))
        signature = (await subtle.sign(how, pair.privateKey, to_js(b"m"))).to_bytes().hex()
        jwk = json.loads(js.JSON.stringify(await subtle.exportKey("jwk", pair.publicKey)))
        told = ask_node({"jwk": jwk, "algorithm": algorithm, "signature": signature})
        public = await subtle.importKey("spki", data(told["spki"]), how, True, to_js(["verify"]))
        private = await subtle.importKey("pkcs8", data(told["pkcs8"]), how, True, to_js(["sign"]))
        exported = (await subtle.exportKey("pkcs8", private)).to_bytes().hex()
        ours = await subtle.verify(how, public, data(told["signature"]), to_js(b"m"))
        return told["isRight"], ours, exported == told["pkcs8"]

    assert run(work) == (True, True, True)


def ask_node(question: dict[str, Any]) -> dict[str, Any]:
    answer = subprocess.run(
        ["node", "-e", NODE_SIDE], input=json.dumps(question).encode(), capture_output=True, check=True, timeout=120
    )
    told: dict[str, Any] = json.loads(answer.stdout)
    return told
