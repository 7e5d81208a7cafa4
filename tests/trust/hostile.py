"""More than five hundred requests that no honest client sends, each with a name."""

from __future__ import annotations

import json
from collections.abc import Iterator

from trust.wire import request

PATHS = (
    "/v3/orders/status",
    "/v3/orders/status/batch",
    "/v1/batches/orders",
    "/v1/orders",
    "/centra/orders",
    "/centra/order",
    "/api/v1/batches",
    "/api/v1/keys",
)
READS = (
    "/v3/orders",
    "/v1/orders",
    "/v1/batches/operations",
    "/centra/orders",
    "/api/v1/batches",
    "/api/v1/orders",
    "/api/v1/overview",
    "/api/v1/keys",
    "/livez",
    "/readyz",
    "/metrics",
    "/",
)
VERBS = ("HEAD", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PROPFIND", "get", "G\0T", "A" * 300)
LINES = (
    b"",
    b"\r\n",
    b"\0" * 200,
    b"GET",
    b"GET /",
    b"GET / HTTP/1.1",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/0.9\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET  /  HTTP/1.1\r\n\r\n",
    b"GET /\tHTTP/1.1\r\n\r\n",
    b"GET /livez HTTP/1.1\n\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://other.example/livez HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET //livez HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"\x80\x2e\x01\x03\x01" + bytes(40),
    b"GET /livez HTTP/1.1\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    b"GET /livez HTTP/1.1\r\n: nothing\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nNo colon\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nA: b\0c\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nA: b\rc\r\n\r\n",
    b"GET /livez HTTP/1.1\r\n A: folded\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nExpect: 200-maybe\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
)
CHUNKS = (
    b"zz\r\nabc\r\n0\r\n\r\n",
    b"-1\r\nabc\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabcdef\r\n0\r\n\r\n",
    b"3;" + b"x" * 70_000 + b"\r\nabc\r\n0\r\n\r\n",
    b"3\nabc\n0\n\n",
    b"0\r\nTrailer: x\r\n\r\n",
    b"0\r\n" + b"T: x\r\n" * 9_000,
    b"3\r\nabc\r\n",
    b"0x3\r\nabc\r\n0\r\n\r\n",
    b" 3\r\nabc\r\n0\r\n\r\n",
)
DEEP = b"[" * 50_000
BODIES = (
    b"",
    b"null",
    b"0",
    b'""',
    b"[]",
    b"{}",
    b"{",
    b"}",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\0}\0",
    b"\xed\xa0\x80",
    b"\0",
    b'{"orders": null}',
    b'{"orders": {}}',
    b'{"orders": []}',
    b'{"orders": [null]}',
    b'{"orders": [[]]}',
    DEEP,
    b'{"orders": [{"id": "\\ud800"}]}',
    b'{"orders": [{"id": "a\\u0000b"}]}',
    b'{"orders": NaN}',
    b'{"orders": 1e999999}',
    b'{"orders": [{"id": 18446744073709551616}]}',
    b'{"orders": [{"id": "a", "id": "b"}]}',
    b'{"a": Infinity}',
    b'{"orders": [{"amount": 1e308}]}',
    b'{"orders": [{"amount": -0.0}]}',
    b"{}{}",
    b"{} x",
    b"'single'",
    b"// comment\n{}",
    b'{"orders": [{"createdAt": "9999-12-31T23:59:59-23:59", "updatedAt": "0001-01-01T00:00:00+14:00"}]}',
    b'{"__proto__": {"a": 1}, "constructor": 1}',
    b'{"orders": [{"id": "' + b"x" * 300_000 + b'"}]}',
    b'{"x": {"products": [{"qty": 1e99, "unitPrice": "NaN"}]}}',
    b'{"' + b"k" * 20_000 + b'": {}}',
    b'{"notifyUrl": "http://169.254.169.254/", "orders": [{"id": "1"}]}',
    b'{"notifyUrl": "gopher://a\\r\\nb", "orders": [1]}',
)
QUERIES = (
    "limit=-1",
    "limit=1e9",
    "limit=99999999999999999999",
    "offset=-5",
    "offset=9223372036854775808",
    "limit=",
    "limit=%00",
    "limit=%ff",
    "%ff=%fe",
    "&" * 5_000,
    "a=1&" * 200,
    "sort=' OR 1=1 --",
    "modifiedSince=9999-99-99",
    "page=0",
    "page=1.5",
    "createdSince=0001-01-01T00:00:00%2B14:00",
    "createdSince=9999-12-31T23:59:59-23:59",
    "cursor=" + "9" * 400,
    "cursor=%27",
    "status=" + "x" * 20_000,
    "id=%F0%9F%92%A3",
    "=",
    "limit=1&limit=2",
    "limit[]=1",
    "limit=１",
    "cursor=ord_zz",
)
BELOW = (
    "/v1/orders/",
    "/v1/batches/operations/",
    "/centra/order/",
    "/centra/",
    "/api/v1/orders/",
    "/api/v1/batches/",
)
SEGMENTS = (
    "%00",
    "%ff",
    "..",
    "%2e%2e%2f",
    "'",
    "%27%20OR%201",
    "9" * 400,
    "-1",
    "0",
    "ord_",
    "ord_" + "f" * 32,
    "%F0%9F",
    "ord_" + "0" * 33,
    "null",
    "bch_1",
    "a%0d%0ab",
    "１",
)
HEADERS = (
    "Authorization: Basic !!!!",
    "Authorization: Basic //////",
    "Authorization:",
    "Authorization: Token",
    "api-key: \xff",
    "Authorization: Bearer " + "x" * 20_000,
    "Content-Type: application/json; charset=utf-16",
    "Content-Type: text/xml",
    "Content-Type: multipart/form-data",
    "Content-Type: ;;;",
    "Accept: text/html",
    "Accept: ;q=x",
    "Idempotency-Key: ",
    "Idempotency-Key: " + "k" * 300,
    "Idempotency-Key: a b",
    "Idempotency-Key: \xe9",
    "X-Request-ID: \xff\xfe",
    "X-Request-ID: " + "r" * 5_000,
    "X-Forwarded-For: 127.0.0.1",
    "X-HTTP-Method-Override: DELETE",
    "Content-Encoding: gzip",
    "Expect: 100-continue",
    "Range: bytes=0-",
    "Cookie: " + "a=b; " * 2_000,
    "Transfer-Encoding: chunked",
)


def collection(key: str) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each."""
    for line in LINES:
        yield f"line {line[:40]!r}", line
    for verb in VERBS:
        for path in (*PATHS[:5], "/livez"):
            yield f"{verb[:10]} {path}", request(verb, path, key)
    yield from _writes(key)
    yield from _reads(key)
    for flip in range(60):
        whole = bytearray(request("POST", PATHS[1], key, json.dumps({"orders": [{"id": "1"}]}).encode()))
        whole[flip * len(whole) // 60] ^= 0x9D
        yield f"flip {flip}", bytes(whole)


def _writes(key: str) -> Iterator[tuple[str, bytes]]:
    for path in PATHS:
        for body in BODIES:
            yield f"POST {path} {body[:30]!r}", request("POST", path, key, body or b" ")
        for header in HEADERS:
            yield f"POST {path} {header[:30]}", request("POST", path, key, b'{"orders": []}', header)
        for chunk in CHUNKS:
            yield f"chunk {path} {chunk[:20]!r}", request("POST", path, key, b"", "Transfer-Encoding: chunked") + chunk


def _reads(key: str) -> Iterator[tuple[str, bytes]]:
    for path in READS:
        for query in QUERIES:
            yield f"GET {path}?{query[:30]}", request("GET", f"{path}?{query}".encode().decode("latin-1"), key)
    for prefix in BELOW:
        for segment in SEGMENTS:
            for verb in ("GET", "DELETE", "POST"):
                yield f"{verb} {prefix}{segment[:20]}", request(verb, prefix + segment.encode().decode("latin-1"), key)
