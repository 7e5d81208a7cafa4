"""Money in whole cents: how it is written, and how large it may be."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

MONEY_MAX = 10**12  # one amount; below it neighbouring binary numbers lie far less than half a cent apart
TOTAL_CENTS_MAX = 10**17  # one order, in cents: fifteen digits before the point

_CENT = Decimal("0.01")


def amount_text(cents: int) -> str:
    """`1234` -> `12.34`."""
    if cents < 0:
        return "-" + amount_text(-cents)
    return f"{cents // 100}.{cents % 100:02d}"


def amount(cents: int) -> Decimal:
    """Cents as an exact amount with two decimals."""
    return Decimal(cents).scaleb(-2)


def cents_of(value: float) -> int:
    """The cents of an amount that wire and lenient have found to be exact hundredths."""
    return round(value * 100)


def rounded(number: Decimal) -> int:
    """An amount in cents, half a cent and more rounded up (contract A6)."""
    return int(number.quantize(_CENT, ROUND_HALF_UP).scaleb(2))
