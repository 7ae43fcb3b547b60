"""The cyclic redundancy checks of S3 clients and of `crypto.DigestStream`."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyworkers.crc import CRC_BYTES, Crc, combined_crc

NAMES = sorted(CRC_BYTES)


@pytest.mark.parametrize(
    ("name", "expected"), [("crc32", "cbf43926"), ("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888")]
)
def test_the_catalogues_check_value(name: str, expected: str) -> None:
    crc = Crc(name)
    crc.update(b"1234")
    crc.update(b"56789")
    assert crc.digest().hex() == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_check_of_nothing_is_zero(name: str) -> None:
    assert Crc(name).digest() == combined_crc(name, []) == bytes(CRC_BYTES[name])


@given(name=st.sampled_from(NAMES), parts=st.lists(st.binary(max_size=300), max_size=6))
def test_the_check_of_a_whole_is_made_from_its_parts(name: str, parts: list[bytes]) -> None:
    checked = []
    for part in parts:
        crc = Crc(name)
        crc.update(part)
        checked.append((crc.digest(), len(part)))
    whole = Crc(name)
    whole.update(b"".join(parts))
    assert combined_crc(name, checked) == whole.digest()


@pytest.mark.parametrize("order", ["crcmod, xllamacpp", "xllamacpp, crcmod"])
def test_the_checks_and_the_model_share_a_process(order: str) -> None:
    """Two extensions built with unlike versions of Cython refuse each other; anycrc was one that did."""
    pytest.importorskip("xllamacpp")
    done = subprocess.run([sys.executable, "-c", f"import {order}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
