"""``request.cf``: what Cloudflare's edge knows of a connection, as the real runtime fills it in locally.

Source: recorded, contracts/http_dev, http_dev.req.cf
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyworkers.js.convert import FROM_ENTRIES, to_js

_CF: dict[str, Any] = {
    "asOrganization": "",
    "asn": 395747,
    "colo": "DFW",
    "city": "Austin",
    "region": "Texas",
    "regionCode": "TX",
    "metroCode": "635",
    "postalCode": "78701",
    "country": "US",
    "continent": "NA",
    "timezone": "America/Chicago",
    "latitude": "30.27130",
    "longitude": "-97.74260",
    "clientTcpRtt": 0,
    "httpProtocol": "HTTP/1.1",
    "requestPriority": "weight=192;exclusive=0",
    "tlsCipher": "AEAD-AES128-GCM-SHA256",
    "tlsVersion": "TLSv1.3",
    "tlsClientAuth": {
        "certPresented": "0",
        "certVerified": "NONE",
        "certRevoked": "0",
        "certIssuerDN": "",
        "certSubjectDN": "",
        "certIssuerDNRFC2253": "",
        "certSubjectDNRFC2253": "",
        "certIssuerDNLegacy": "",
        "certSubjectDNLegacy": "",
        "certSerial": "",
        "certIssuerSerial": "",
        "certSKI": "",
        "certIssuerSKI": "",
        "certFingerprintSHA1": "",
        "certFingerprintSHA256": "",
        "certNotBefore": "",
        "certNotAfter": "",
    },
    "edgeRequestKeepAliveStatus": 0,
    "clientTrustScore": 99,
    "botManagement": {
        "corporateProxy": False,
        "verifiedBot": False,
        "ja3Hash": "25b4882c2bcb50cd6b469ff28c596742",
        "staticResource": False,
        "detectionIds": [],
        "score": 99,
    },
    "clientAcceptEncoding": "",
}


def incoming_cf(http_version: str, accept_encoding: str = "", overrides: Mapping[str, Any] | None = None) -> Any:
    """Return a new ``cf`` object, as JavaScript holds it.

    Args:
        http_version: such as ``1.1``.
        accept_encoding: what the client sent; the worker's own header is always ``br, gzip``.
        overrides: properties in place of the local ones: ``[tool.pyworkers.dev.cf]``.
    """
    known = {**_CF, "httpProtocol": f"HTTP/{http_version}", "clientAcceptEncoding": accept_encoding}
    return to_js({**known, **(overrides or {})}, dict_converter=FROM_ENTRIES)
