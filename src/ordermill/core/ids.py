"""How ids look outside: prefixed strings that hold account, mode and number, and say nothing at a glance."""

from __future__ import annotations

from ordermill.core.order import Mode

# An odd factor and its inverse modulo 2**128: a bijection that spreads neighbouring numbers. It hides nothing (access
# is always checked by account); it keeps two ids from looking alike, as long as the Karrio contract's.
_MODULUS = 1 << 128
_FACTOR = 0x9E3779B97F4A7C15F39CC0605CEDC835
_INVERSE = pow(_FACTOR, -1, _MODULUS)


def spell(prefix: str, account_id: int, mode: Mode, number: int) -> str:
    """`<prefix>_<32 hex>` of a number that is unique within the account."""
    packed = (account_id << 1 | mode) << 64 | number
    return f"{prefix}_{packed * _FACTOR % _MODULUS:032x}"


def parse(prefix: str, text: str, account_id: int, mode: Mode) -> int | None:
    """The number behind an id, or None when it is not one of this account and mode."""
    head, _, digits = text.partition("_")
    if head != prefix or len(digits) != 32:
        return None
    try:
        packed = int(digits, 16) * _INVERSE % _MODULUS
    except ValueError:
        return None
    if packed >> 64 != (account_id << 1 | mode):
        return None
    number = packed & ((1 << 64) - 1)
    return number if number < 1 << 63 else None
