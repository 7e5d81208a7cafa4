"""Every limit of the intake, by name. `GET /api/v1/limits` tells them."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes are bytes after decompression, counts are orders in one request."""

    brevo_body_bytes: int = 5_242_880
    brevo_orders: int = 1_000
    body_bytes: int = 16 * 1024 * 1024
    orders: int = 10_000
    lines_per_order: int = 1_000
    metadata_keys: int = 100
    reference_chars: int = 255
    text_chars: int = 10_000
    page: int = 100
    nesting: int = 64
    buffered_bytes: int = 64 * 1024 * 1024
    large_body_bytes: int = 1024 * 1024
    large_bodies_at_once: int = 4
    request_deadline_s: float = 30.0
    header_bytes: int = 32 * 1024
