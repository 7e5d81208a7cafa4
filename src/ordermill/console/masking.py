"""Keeps what is private out of sight: values of JSON members whose names speak of a person."""

from __future__ import annotations

import re
from contextlib import suppress

import msgspec

PRIVATE = re.compile(
    r"e?mail|phone|mobile|sms|whatsapp|name$|^name|person|address|street|city|zip|post(al)?_?code|postcode|"
    r"company|birth|gender|ip$|ext_?id|loyalty|contact|tax|vat|cookie|password|secret|token|signature",
    re.IGNORECASE,
)
# A member's name with a string behind it; the string may be cut off at the end of what was kept.
_MEMBER = re.compile(r'"((?:[^"\\]|\\.){1,80})"(\s*:\s*)"((?:[^"\\]|\\.)*)("|$)')
_NUMBER = re.compile(r'"((?:[^"\\]|\\.){1,80})"(\s*:\s*)(-?\d[\d.eE+-]{4,})')
# Keys and signing secrets are hidden from everybody, always.
_SECRET = re.compile(r"\b(omk_(?:live|test)_\w{8}_|whsec_)[\w+/=-]+")
HIDDEN = "•••"


def mask(text: str) -> str:
    """The same text, private values replaced by dots. The first letter stays, so that two can be told apart."""

    def hide(found: re.Match[str]) -> str:
        name, colon, value, end = found.groups()
        if not value or not PRIVATE.search(name):
            return found.group(0)
        first = value[0] if value[0].isalnum() else ""
        return f'"{name}"{colon}"{first}{HIDDEN}{end}'

    def hide_number(found: re.Match[str]) -> str:
        name, colon, _ = found.groups()
        return f'"{name}"{colon}"{HIDDEN}"' if PRIVATE.search(name) else found.group(0)

    return _NUMBER.sub(hide_number, _MEMBER.sub(hide, text))


def without_secrets(text: str) -> str:
    """The same text, the secret part of our keys and signing secrets replaced by dots."""
    return _SECRET.sub(rf"\1{HIDDEN}", text)


def pretty(body: bytes) -> str:
    """JSON with one member a line, numbers as they were written; what is not JSON as it is."""
    with suppress(msgspec.DecodeError, RecursionError):
        body = msgspec.json.format(body, indent=2)
    return body.decode("utf-8", "replace")
