"""Addresses that events must never reach, in every spelling we know of. `{port}` becomes that of a live listener."""

from __future__ import annotations

_V4 = (
    "127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255",
    "100.64.0.1", "100.127.255.254", "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.254",
    "192.0.0.1", "192.0.0.8", "192.0.0.170", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1",
    "192.168.255.254", "192.175.48.1", "198.18.0.1", "198.19.255.254", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16", "100.100.100.200",
)  # fmt: skip
_V6 = (
    "::", "::1", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001", "::ffff:127.0.0.1", "::ffff:7f00:1",
    "::ffff:0:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:192.168.1.1", "::127.0.0.1", "::7f00:1",
    "64:ff9b::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1",
    "2002:7f00:1::", "2002:7f00:0001::1", "2002:a00:1::", "2002:c0a8:101::1", "2002:a9fe:a9fe::", "2001::1",
    "2001:0:7f00:1::", "2001:db8::1", "2001:10::1", "2001:20::1", "3fff::1", "3fff:fff::1", "fc00::1", "fd00::1",
    "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1", "100::1", "4000::1", "5f00::1",
    "2620:4f:8000::1",
)  # fmt: skip
# Spellings of loopback and its neighbours that one parser or resolver or another takes for an address.
_NUMERIC = (
    "2130706433", "0x7f000001", "0x7f.0x0.0x0.0x1", "0x7f.1", "0177.0.0.1", "0177.0.0.01", "017700000001", "127.1",
    "127.0.1", "127.0.0.1.", "127.0.0.01", "127.000.000.001", "0127.0.0.1", "00000177.0.0.1", "0", "0x0", "00", "0.0",
    "3232235777", "2852039166", "0xA9FEA9FE", "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "4294967295", "4294967296",
    "99999999999", "127.0.0.256", "127.0.0.1.1", "1.2.3", "0x", "0x7f.0.0.1", "127.0x0.0.1", "127.0.0.0x1",
)  # fmt: skip
_ODD = (
    "１２７.0.0.1", "127。0。0。1", "127.0.0.1%00.example.com", "①②⑦.⓪.⓪.①", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "localhost%00",
    "127.0.0.1%2e", "[127.0.0.1]", "[::1%lo]", "[::1%25lo]", "[fe80::1%eth0]", "[::1", "::1", "[::1].example.com",
    "[::1]a", "[v1.a]", "[]", "[:]", "[:::1]", "[1.2.3.4]", "example.com@127.0.0.1", "127.0.0.1@example.com",
    "user:pass@127.0.0.1", "@127.0.0.1", "127.0.0.1\\@example.com", "example.com\\@127.0.0.1",
    "127.0.0.1\\.example.com",
    "a..b", ".example.com", "-example.com", "example-.com", "exa mple.com", "exa\tmple.com", "exa\nmple.com",
    "example.com\r\nhost: 127.0.0.1", "example.com.", "", ".", "..", "*", "a" * 64 + ".com", "a." * 130 + "com",
    "example.com:", "example.com:0", "example.com:65536", "example.com:-1", "example.com:+80", "example.com:80:80",
    "example.com:８０", "example.com:0x50", "example.com:22", "example.com:25", "example.com:6379", "example.com:11211",
)  # fmt: skip
_SCHEMES = (
    "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:{port}/_x", "dict://127.0.0.1:{port}/x", "ws://a.b/",
    "unix:///run/docker.sock", "http+unix://%2Frun%2Fdocker.sock/", "data:text/plain,x", "javascript:alert(1)",
    "//127.0.0.1:{port}/", "///127.0.0.1/", "http:/127.0.0.1:{port}/", "http:127.0.0.1", "http:\\\\127.0.0.1\\",
    "http:///127.0.0.1:{port}/", "http://", "https://", "http://?", "http://#", "http://?127.0.0.1", " http://a.b/",
    "http ://a.b/", "h\tttp://a.b/", "http://a.b/ x", "http://a.b/\x00", "http://a.b/\r\nx: y", "nats:subject", "x", "",
    "http://" + "a" * 3000 + ".com/",
)  # fmt: skip

# Names that the hosts file or a name server may lead inside; the tests' resolver does.
NAMES = (
    "localhost", "LOCALHOST", "localhost.localdomain", "ip6-localhost", "internal.example.com",
    "metadata.google.internal",
    "127.0.0.1.nip.example", "rebind.example.com", "mixed.example.com", "six.example.com", "mapped.example.com",
    "nat64.example.com",
)  # fmt: skip


def urls() -> tuple[str, ...]:
    plain = [f"http://{host}:{{port}}/hook" for host in (*_V4, *(f"[{host}]" for host in _V6), *_NUMERIC, *NAMES)]
    odd = [f"http://{host}/hook" for host in _ODD]
    secure = [f"https://{host}:{{port}}/" for host in ("127.0.0.1", "[::1]", "2130706433", "localhost")]
    return (*plain, *odd, *secure, *_SCHEMES)
