"""Rewriting HTML as it streams: tokens in, tokens out, and bytes that nobody changed pass as they are.

There is no tree. Nesting is what start and end tags say it is: an end tag closes everything up to the nearest open
element of its name, and an element that no end tag closes stays open to the end.

Source: the behaviour of the runtime's own rewriter, tests/unit/js/data/html_rewriter.json
"""
