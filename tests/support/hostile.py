"""Names that break out of a page which does not escape them."""

from __future__ import annotations

SCRIPT = "<script>alert(1)</script>"
HOSTILE_NAMES = (
    SCRIPT,
    '"><img src="https://example.invalid/x" onerror="alert(2)">',
    "' onmouseover='alert(3)",
    "</title></style></script><svg onload=alert(4)>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u2066 \u05e9\u05dc\u05d5\u05dd",
    "javascript:alert(5)",
    "line\nbreak\x00and\x1b[31mcolour",
    "long" * 125,
)
