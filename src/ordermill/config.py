"""One frozen Config: every setting, its default, its environment name, its sentence. Read once, handed down."""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints
from zoneinfo import ZoneInfo

import msgspec

PREFIX = "ORDERMILL_"
SECRETS = frozenset({"bootstrap_key", "database_url", "nats_url"})
NO_SETTINGS = ("CONFIG", "SERVER", "KEY", "PUSH_KEY", "VENV", "FAILPOINT")  # variables with a meaning of another kind


def _setting(sentence: str, least: float | None = None, most: float | None = None) -> msgspec.Meta:
    return msgspec.Meta(description=sentence, ge=least, le=most)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All settings. Each has the environment form ORDERMILL_<NAME>, and ORDERMILL_<NAME>_FILE reads it from a file."""

    host: Annotated[str, _setting("address the server listens on")] = "127.0.0.1"
    port: Annotated[int, _setting("port the server listens on; 0 takes a free one", 0, 65_535)] = 8080
    data: Annotated[str, _setting("directory of the SQLite file, its lock and its backups")] = "ordermill-data"
    database_url: Annotated[str, _setting("postgresql://… to use PostgreSQL instead of SQLite")] = ""
    background: Annotated[bool, _setting("whether serve also delivers, imports and cleans up")] = True
    bootstrap_key: Annotated[
        str, _setting("a key of at least 20 characters, registered as live administrator at start")
    ] = ""
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _setting("least level that is logged")] = "info"
    access_log: Annotated[bool, _setting("one log line per request")] = True
    lanes: Annotated[int, _setting("connections that write at the same time (PostgreSQL)", 1)] = 4
    root_path: Annotated[str, _setting("path a reverse proxy mounts Ordermill under")] = ""
    trusted_proxies: Annotated[str, _setting("addresses whose X-Forwarded-* headers are believed, comma list")] = ""

    console_insecure: Annotated[
        bool, _setting("whether the console may be shown without TLS to other machines than this one")
    ] = False

    brevo_policy: Annotated[
        Literal["reject_all", "accept_valid"], _setting("what one bad order does to the others of a Brevo batch")
    ] = "reject_all"
    brevo_active: Annotated[bool, _setting("whether the Brevo e-commerce app counts as activated")] = True
    karrio_limits: Annotated[Literal["source", "2025"], _setting("which lengths Karrio fields may have")] = "source"
    karrio_all_or_nothing: Annotated[bool, _setting("whether one bad order refuses a whole Karrio batch")] = False
    codes: Annotated[
        Literal["contract", "extended"], _setting("country and currency codes: Karrio's own, or ISO as well")
    ] = "contract"
    centra_timezone: Annotated[str, _setting("zone of dates without one in Centra orders")] = "UTC"
    centra_require_state_for: Annotated[str, _setting("countries whose addresses need a state, comma list")] = ""
    centra_missing_price: Annotated[
        Literal["accept", "reject"], _setting("what a line without any price does to a Centra order")
    ] = "accept"
    centra_create_allowed: Annotated[bool, _setting("whether Centra orders may be created at all")] = True

    rate_limit: Annotated[int, _setting("requests a minute for a key that has no limit of its own; 0 for none", 0)] = 0
    failed_keys_max: Annotated[
        int, _setting("unknown keys a minute from one address, before it is told to wait; 0 for any number", 0)
    ] = 100
    orders_max: Annotated[int, _setting("orders in one request, Karrio, Centra and our own API", 1)] = 10_000
    body_bytes_max: Annotated[int, _setting("bytes in one request, likewise, after decompression", 1)] = 16_777_216
    buffered_bytes_max: Annotated[int, _setting("bytes of request bodies held at once, over all requests", 1)] = (
        67_108_864
    )
    in_flight_max: Annotated[
        int, _setting("requests at work at once, before the next one is told to come back; 0 for any number", 0)
    ] = 512
    request_deadline_s: Annotated[float, _setting("seconds a client has to send a whole request", 0.1)] = 30.0
    raw_retention_days: Annotated[int, _setting("days an order can be shown as it was sent; 0 for ever", 0)] = 30
    backup_every_hours: Annotated[int, _setting("hours between backups of the SQLite ledger; 0 for none", 0)] = 0
    backup_keep: Annotated[int, _setting("how many of the backups made on schedule are kept", 1)] = 7
    delivery_retention_days: Annotated[int, _setting("days the log of deliveries is kept", 0)] = 30
    webhook_allow: Annotated[str, _setting("CIDRs and hosts that events may go to although they are private")] = ""
    webhook_https_only: Annotated[bool, _setting("whether events go to https:// addresses only")] = False
    webhook_retries: Annotated[
        str, _setting("wait before each attempt to deliver an event; as many attempts as waits")
    ] = "0s,5s,5m,30m,2h,5h,10h,14h,20h,24h"
    webhook_timeout_s: Annotated[float, _setting("seconds one attempt to deliver an event may take", 0.1, 300)] = 15.0
    karrio_event_id: Annotated[
        bool, _setting("whether Karrio webhooks carry X-Event-Id, which is their secret in clear")
    ] = False
    nats_url: Annotated[str, _setting("nats://… of a JetStream server that endpoints nats:<subject> publish to")] = ""


_DATABASE = re.compile(r"postgres(?:ql)?://|\w+ *=")  # the latter: libpq's other form, `host=… dbname=…`


class BadConfig(Exception):
    """A setting that cannot be used; the message names it and says what it may be."""


class Loaded(msgspec.Struct, frozen=True):
    """The settings and where each came from: default, file, environment or command line."""

    config: Config
    origins: dict[str, str]


def load(
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> Loaded:
    """Defaults, then the TOML file, then the environment, then command-line options. Raises BadConfig."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Config.__struct_fields__, "default")
    for name, value in _from_file(file or _named_file(environment)).items():
        values[name], origins[name] = value, "file"
    for name in Config.__struct_fields__:
        found = _from_environment(environment, name)
        if found is not None:
            values[name], origins[name] = found, "environment"
    for name, value in (options or {}).items():
        if value is not None:
            values[name], origins[name] = value, "command line"
    try:
        config = msgspec.convert(values, Config, strict=False)
    except msgspec.ValidationError:
        wrong = [told for name in values if (told := _wrong_type(name, values[name], origins[name]))]
        raise BadConfig("\n".join(wrong)) from None
    if wrong := [f"{spelled(name, origins[name])} {told}" for name, told in _wrong_content(config)]:
        raise BadConfig("\n".join(wrong))
    return Loaded(config, origins)


def spelled(name: str, origin: str) -> str:
    """A setting under the name that whoever set it used."""
    return {"file": f"{name} in the settings file", "command line": "--" + name.replace("_", "-")}.get(
        origin, PREFIX + name.upper()
    )


def _wrong_type(name: str, value: Any, origin: str) -> str:
    """What a value of another type, or out of bounds, should have been; '' for one that is good."""
    annotation = get_type_hints(Config, include_extras=True)[name]
    try:
        msgspec.convert(value, annotation, strict=False)
        return ""
    except msgspec.ValidationError:
        kind, meta = get_args(annotation)
    if words := get_args(kind):
        may_be = "one of " + ", ".join(words)
    else:
        may_be = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[kind]
        may_be += (
            "" if meta.ge is None else f" from {meta.ge} on" if meta.le is None else f" from {meta.ge} to {meta.le}"
        )
    return f"{spelled(name, origin)} is {value!r}: it must be {may_be}"


def _wrong_content(config: Config) -> Iterator[tuple[str, str]]:
    """(setting, what is wrong) for texts that mean nothing. What is secret is not repeated."""
    if config.bootstrap_key and len(config.bootstrap_key) < 20:
        yield "bootstrap_key", "must have at least 20 characters"
    if config.database_url and not _DATABASE.match(config.database_url):
        yield "database_url", "must look like postgresql://user:password@host:5432/name"
    if config.root_path and not config.root_path.startswith("/"):
        yield "root_path", f"is {config.root_path!r}: it must begin with a slash"
    try:
        ZoneInfo(config.centra_timezone)
    except (KeyError, ValueError, OSError):
        yield "centra_timezone", f"is {config.centra_timezone!r}: it must be a time zone such as Europe/Zurich or UTC"
    for word in config.trusted_proxies.split(","):
        try:
            ipaddress.ip_network(word.strip() or "::", strict=False)
        except ValueError:
            yield "trusted_proxies", f"has {word.strip()!r}: it must be addresses or networks such as 10.0.0.0/8"


def _named_file(environment: Mapping[str, str]) -> Path | None:
    name = environment.get(PREFIX + "CONFIG")
    return Path(name) if name else None


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise BadConfig(f"the settings file {path} cannot be read: {said}") from error
    unknown = sorted(set(found) - set(Config.__struct_fields__))
    if unknown:
        near = get_close_matches(unknown[0], Config.__struct_fields__, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise BadConfig(f"the settings file {path} has an unknown setting: {unknown[0]}{hint}")
    return found


def _from_environment(environment: Mapping[str, str], name: str) -> str | None:
    variable = PREFIX + name.upper()
    if variable in environment:
        return environment[variable]
    path = environment.get(variable + "_FILE")
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadConfig(f"{variable}_FILE cannot be read: {path}: {error.strerror}") from error


def unknown(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none, each with the nearest that there is: a slip of the pen."""
    ours = {PREFIX + name.upper() + end for name in Config.__struct_fields__ for end in ("", "_FILE")}
    ours |= {PREFIX + name for name in NO_SETTINGS}
    found = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in ours and not name.startswith(PREFIX + "TEST_"):
            near = get_close_matches(name, sorted(ours), 1)
            found.append(f"there is no setting {name}" + (f"; did you mean {near[0]}?" if near else ""))
    return found


def sentence(name: str) -> str:
    """What a setting is, in one sentence (docs and `config show`)."""
    annotation = get_type_hints(Config, include_extras=True)[name]
    return next(meta.description or "" for meta in get_args(annotation) if isinstance(meta, msgspec.Meta))
