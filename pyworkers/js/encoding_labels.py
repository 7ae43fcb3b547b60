"""The encodings that ``TextDecoder`` knows, by the labels of the Encoding Standard.

Source: encoding.spec.whatwg.org, section 4.2 (names and labels)
"""

from __future__ import annotations

import codecs
from typing import Any, Final

# The encoding's name: Python's codec for it, and its labels besides the name itself.
_TABLE: Final = {
    "utf-8": ("utf-8", "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf8 x-unicode20utf8"),
    "utf-16le": (
        "utf-16-le",
        "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16",
    ),
    "utf-16be": ("utf-16-be", "unicodefffe"),
    "ibm866": ("cp866", "866 cp866 csibm866"),
    "iso-8859-2": (
        "iso8859-2",
        "csisolatin2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    ),
    "iso-8859-3": (
        "iso8859-3",
        "csisolatin3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
    ),
    "iso-8859-4": (
        "iso8859-4",
        "csisolatin4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
    ),
    "iso-8859-5": (
        "iso8859-5",
        "csisolatincyrillic cyrillic iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988",
    ),
    "iso-8859-6": (
        "iso8859-6",
        "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6-e iso-8859-6-i iso-ir-127 "
        "iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
    ),
    "iso-8859-7": (
        "iso8859-7",
        "csisolatingreek ecma-118 elot_928 greek greek8 iso-ir-126 iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987 "
        "sun_eu_greek",
    ),
    "iso-8859-8": (
        "iso8859-8",
        "csiso88598e csisolatinhebrew hebrew iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 "
        "visual",
    ),
    "iso-8859-8-i": ("iso8859-8", "csiso88598i logical"),
    "iso-8859-10": ("iso8859-10", "csisolatin6 iso-ir-157 iso8859-10 iso885910 l6 latin6"),
    "iso-8859-13": ("iso8859-13", "iso8859-13 iso885913"),
    "iso-8859-14": ("iso8859-14", "iso8859-14 iso885914"),
    "iso-8859-15": ("iso8859-15", "csisolatin9 iso8859-15 iso885915 iso_8859-15 l9"),
    "iso-8859-16": ("iso8859-16", ""),
    "koi8-r": ("koi8-r", "cskoi8r koi koi8 koi8_r"),
    "koi8-u": ("koi8-u", "koi8-ru"),
    "macintosh": ("mac-roman", "csmacintosh mac x-mac-roman"),
    "windows-874": ("cp874", "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620"),
    "windows-1250": ("cp1250", "cp1250 x-cp1250"),
    "windows-1251": ("cp1251", "cp1251 x-cp1251"),
    "windows-1252": (
        "cp1252",
        "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 "
        "iso_8859-1:1987 l1 latin1 us-ascii x-cp1252",
    ),
    "windows-1253": ("cp1253", "cp1253 x-cp1253"),
    "windows-1254": (
        "cp1254",
        "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5 x-cp1254",
    ),
    "windows-1255": ("cp1255", "cp1255 x-cp1255"),
    "windows-1256": ("cp1256", "cp1256 x-cp1256"),
    "windows-1257": ("cp1257", "cp1257 x-cp1257"),
    "windows-1258": ("cp1258", "cp1258 x-cp1258"),
    "x-mac-cyrillic": ("mac-cyrillic", "x-mac-ukrainian"),
    "gbk": ("gb18030", "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 iso-ir-58 x-gbk"),
    "gb18030": ("gb18030", ""),
    "big5": ("big5hkscs", "big5-hkscs cn-big5 csbig5 x-x-big5"),
    "euc-jp": ("euc-jp", "cseucpkdfmtjapanese x-euc-jp"),
    "iso-2022-jp": ("iso2022-jp", "csiso2022jp"),
    "shift_jis": ("cp932", "csshiftjis ms932 ms_kanji shift-jis sjis windows-31j x-sjis"),
    "euc-kr": (
        "cp949",
        "cseuckr csksc56011987 iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949",
    ),
    "x-user-defined": ("pyworkers-x-user-defined", ""),
}
_NAMES: Final = {label: name for name, (_, labels) in _TABLE.items() for label in (name, *labels.split())}
_MAPS_ALL_BYTES: Final = frozenset({"windows-1252", "windows-1254", "windows-1258", "windows-1250", "windows-1251"})


def encoding_of(label: str) -> str:
    """Return the encoding's name for a label, ``""`` for an unknown one."""
    return _NAMES.get(label.strip("\t\n\f\r ").lower(), "")


def codec_of(encoding: str, *, fatal: bool) -> tuple[str, str]:
    """Return Python's codec for an encoding, and its error handler."""
    if encoding in _MAPS_ALL_BYTES:
        return _TABLE[encoding][0], "pyworkers.c1"
    codec = _TABLE[encoding][0]
    return codec, "strict" if fatal else "pyworkers.pairs" if codec.replace("-", "_") in _LEADS else "replace"


def _as_c1_control(error: UnicodeError) -> tuple[str, int]:
    """Map a byte that Python leaves undefined to the C1 control of the same number, as the standard does."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error("pyworkers.c1", _as_c1_control)

# Codec → the bytes that begin a character of two.
_LEADS: Final = {
    "cp949": range(0x81, 0xFF),
    "big5hkscs": range(0x81, 0xFF),
    "cp932": (*range(0x81, 0xA0), *range(0xE0, 0xFD)),
    "euc_jp": (0x8E, *range(0xA1, 0xFF)),
    "gb18030": range(0x81, 0xFF),
}


def _as_standard(error: UnicodeError) -> tuple[str, int]:
    """Replace a wrong character of two bytes as the standard does: both at once, unless the second is ASCII."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    data, start = error.object, error.start
    if data[start] == 0x80 and error.encoding == "gb18030":
        return "\u20ac", start + 1
    is_pair = data[start] in _LEADS.get(error.encoding, ()) and start + 1 < len(data) and data[start + 1] >= 0x80
    return "\ufffd", start + 2 if is_pair else max(error.end, start + 1) if start + 1 >= len(data) else start + 1


codecs.register_error("pyworkers.pairs", _as_standard)


# Bytes beyond ASCII are characters of the private use area.
_USER_DEFINED: Final = "".join(chr(byte if byte < 0x80 else 0xF700 + byte) for byte in range(256))
_USER_DEFINED_BYTES: Final = codecs.charmap_build(_USER_DEFINED)


class _UserDefinedDecoder(codecs.IncrementalDecoder):
    def decode(self, data: Any, _final: bool = False) -> str:
        return codecs.charmap_decode(data, self.errors, _USER_DEFINED)[0]


def _find_codec(name: str) -> codecs.CodecInfo | None:
    if name.replace("_", "-") != "pyworkers-x-user-defined":
        return None
    return codecs.CodecInfo(
        name=name,
        encode=lambda text, errors="strict": codecs.charmap_encode(text, errors, _USER_DEFINED_BYTES),
        decode=lambda data, errors="strict": codecs.charmap_decode(data, errors, _USER_DEFINED),
        incrementaldecoder=_UserDefinedDecoder,
    )


codecs.register(_find_codec)
