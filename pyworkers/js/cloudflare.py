"""The global ``Cloudflare``: which compatibility flags are on.

Source: developers.cloudflare.com/workers/configuration/compatibility-flags; recorded, misc.globals.own-scope-names
"""

from __future__ import annotations

from pyworkers.config.compat import known_flags
from pyworkers.js.realm import current_realm
from pyworkers.js.values import JsObject, JsProxy


class Cloudflare(JsProxy):
    """``Cloudflare``."""

    @property
    def compatibilityFlags(self) -> JsObject:
        """Every flag's name, and whether its behaviour is on."""
        enabled = current_realm().compat.enabled
        return JsObject({flag.enable: enabled(flag.enable) for flag in known_flags()})

    def own_properties(self) -> dict[str, object]:
        """The one property, which is the object's own."""
        return {"compatibilityFlags": self.compatibilityFlags}
