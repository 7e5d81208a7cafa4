"""Wires everything: config -> engine -> ledger -> mill -> faces -> web. The only module that knows all of them."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, cast

import msgspec

from ordermill.config import SECRETS, BadConfig, Config
from ordermill.console.app import Console, Parts
from ordermill.core.account import DEFAULT_ACCOUNT, ApiKey, Scope, take_apart
from ordermill.core.batch import ErrorPolicy
from ordermill.core.delivery import Kind, own_voice
from ordermill.core.endpoints import Endpoints
from ordermill.core.erasing import anonymous
from ordermill.core.errors import Overloaded
from ordermill.core.event import Voice
from ordermill.core.limits import Limits
from ordermill.core.mill import Mill
from ordermill.core.order import Mode, Order
from ordermill.delivery.addressing import Guard
from ordermill.delivery.composing import notify_voice
from ordermill.delivery.meters import Meters
from ordermill.delivery.pipeline import Pipeline, read_delays
from ordermill.dialects.brevo import routes as brevo
from ordermill.dialects.centra import routes as centra
from ordermill.dialects.dialect import Dialect
from ordermill.dialects.karrio import routes as karrio
from ordermill.dialects.karrio import webhooks as karrio_webhooks
from ordermill.holding import data_folder
from ordermill.store import accounts, backup, migrating
from ordermill.store.engine import Engine
from ordermill.store.imports import ImportLedger
from ordermill.store.ledger import Ledger
from ordermill.store.presets import PresetLedger
from ordermill.store.sqlite.engine import SqliteEngine
from ordermill.web import documents, manage, observe, webhooks
from ordermill.web.app import Web
from ordermill.web.auth import Authenticator
from ordermill.web.erasures import Erasures
from ordermill.web.exporting import Exports
from ordermill.web.health import Check, disk_check, livez, metrics, readyz
from ordermill.web.http import Route
from ordermill.web.imports import Imports
from ordermill.web.limits import AtWork, RateLimiter
from ordermill.web.presets import Presets
from ordermill.web.streaming import Streams
from ordermill.web.throttle import Addresses, FailedKeys
from ordermill.work.importer import Importer
from ordermill.work.presence import Presence, own_name
from ordermill.work.stepping import ClockSteps
from ordermill.work.upkeep import Upkeep

DATABASE_FILE = "ordermill.db"
VOICES: dict[str, Voice] = {
    Kind.OWN: own_voice(),
    Kind.NOTIFY: notify_voice(),
    Kind.KARRIO: karrio_webhooks.voice(),
}
METERS = Meters(observe.REGISTRY)


def clock() -> int:
    """Microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def make_engine(config: Config) -> Engine:
    """PostgreSQL where a URL is given, else the SQLite file in the data directory (made if it is missing)."""
    if config.database_url:
        from ordermill.store.postgres.engine import PostgresEngine

        return PostgresEngine(config.database_url, lanes=config.lanes)
    return SqliteEngine(data_folder(config) / DATABASE_FILE)


def prepare(engine: Engine, config: Config) -> tuple[str, ...]:
    """Brings the schema up to date, makes the default account, registers the bootstrap key. The migrations applied."""
    applied = migrating.migrate(engine, clock())
    connection = engine.connect()
    try:
        with connection.transaction() as tx:
            accounts.ensure_default(tx, clock())
            if config.bootstrap_key:
                key = _bootstrap_key(config.bootstrap_key, accounts.get_account_by_name(tx, DEFAULT_ACCOUNT).id)
                if accounts.find_key(tx, key.id) is None:
                    accounts.save_key(tx, key)
    finally:
        connection.close()
    return applied


def _bootstrap_key(text: str, account_id: int) -> ApiKey:
    presented = take_apart(text)
    return ApiKey(
        account_id=account_id,
        id=presented.id,
        name="bootstrap",
        mode=Mode.LIVE,
        scopes=(Scope.ADMIN,),
        secret_hash=presented.secret_hash,
        hint=text[-4:],
        rate_limit=None,
        created_at=clock(),
    )


def make_limits(config: Config) -> Limits:
    return Limits(
        orders=config.orders_max,
        body_bytes=config.body_bytes_max,
        buffered_bytes=config.buffered_bytes_max,
        request_deadline_s=config.request_deadline_s,
    )


def webhook_policy(config: Config) -> tuple[Guard, tuple[float, ...]]:
    """Where events may go, and the waits between attempts. Raises BadConfig for a setting that cannot be used."""
    try:
        delays_s = read_delays(config.webhook_retries)
    except ValueError:
        raise BadConfig(
            f"ORDERMILL_WEBHOOK_RETRIES is {config.webhook_retries!r}: it must be 1 to 100 waits of at most 30 days, "
            "such as 0s,5s,5m,2h"
        ) from None
    try:
        own_ports = frozenset({config.port})
        return Guard(config.webhook_allow, https_only=config.webhook_https_only, own_ports=own_ports), delays_s
    except ValueError as error:
        raise BadConfig(f"a webhook setting cannot be used: {error}") from None


def make_pipeline(ledger: Ledger, config: Config) -> Pipeline:
    """Who tells the outside. Raises BadConfig for a setting that cannot be used."""
    guard, delays_s = webhook_policy(config)
    broker = None
    if config.nats_url:
        from ordermill.delivery.broker_nats import NatsPost

        broker = NatsPost(config.nats_url)
    try:
        return Pipeline(
            ledger.outbox,
            VOICES,
            clock,
            guard=guard,
            delays_s=delays_s,
            attempt_s=config.webhook_timeout_s,
            meters=METERS,
            show_secret=config.karrio_event_id,
            retention_days=config.delivery_retention_days,
            broker=broker,
            alone=not config.database_url,
        )
    except ValueError as error:
        raise BadConfig(f"a webhook setting cannot be used: {error}") from error


def make_dialects(
    mill: Mill, limits: Limits, config: Config, endpoints: Endpoints | None = None
) -> tuple[Dialect, ...]:
    """The three contracts, each with its settings. Without `endpoints` Karrio's calls for webhooks are left out."""
    return (
        brevo.build(mill, limits, brevo.Settings(policy=ErrorPolicy(config.brevo_policy), active=config.brevo_active)),
        _with_routes(
            karrio.build(
                mill,
                limits,
                karrio.Settings(
                    limits=config.karrio_limits, codes=config.codes, all_or_nothing=config.karrio_all_or_nothing
                ),
            ),
            () if endpoints is None else karrio_webhooks.routes(endpoints),
        ),
        centra.build(
            mill,
            limits,
            centra.Settings(
                timezone=config.centra_timezone,
                require_state_for=tuple(
                    code.strip().upper() for code in config.centra_require_state_for.split(",") if code.strip()
                ),
                missing_price=config.centra_missing_price,
                create_allowed=config.centra_create_allowed,
            ),
        ),
    )


def _with_routes(dialect: Dialect, more: tuple[Route, ...]) -> Dialect:
    return msgspec.structs.replace(dialect, routes=dialect.routes + more)


def contracts_of(config: Config) -> dict[str, Dialect]:
    """The contracts alone, by name: to read and write orders without any ledger."""
    limits, nothing = make_limits(config), cast(Any, None)
    return {dialect.name: dialect for dialect in make_dialects(Mill(nothing, limits), limits, config)}


def reader_settings(config: Config) -> bytes:
    """What a process that reads files needs to know: everything but secrets."""
    return msgspec.json.encode(msgspec.structs.replace(config, **dict.fromkeys(SECRETS, "")))


def rewriter(config: Config, dialects: Iterable[Dialect] | None = None) -> Callable[[Order], str]:
    """What stays of an order's document when its person is erased, in the words of its contract."""
    if dialects is None:
        limits, nothing = make_limits(config), cast(Any, None)
        dialects = make_dialects(Mill(nothing, limits), limits, config)
    by_name = {dialect.name: dialect for dialect in dialects}

    def rewrite(order: Order) -> str:
        dialect = by_name[order.dialect]
        return dialect.write_order_request(anonymous(dialect.read_content(order)))[0].decode()

    return rewrite


class House:
    """Everything one process runs, made once: engine, ledger, mill, dialects and the web application."""

    def __init__(self, config: Config, engine: Engine) -> None:
        self.config = config
        self.engine = engine
        self.stopping = asyncio.Event()
        self.shipped = migrating.shipped(engine.name)
        self.ledger = Ledger(engine, clock, VOICES)
        self.pipeline = make_pipeline(self.ledger, config)
        self.limits = make_limits(config)
        self.mill = Mill(self.ledger, self.limits, self.pipeline.guard.check_url)
        self.authenticator = Authenticator(self.ledger)
        self.dialects = make_dialects(self.mill, self.limits, config, self.pipeline.endpoints)
        self.ledger.on_settled = observe.count_settled
        self.upkeep = self._make_upkeep()
        self.presence = Presence(self.ledger.lanes, clock)
        self.steps = ClockSteps(self.ledger, clock)
        self.imports = ImportLedger(self.ledger.lanes, clock)
        self.presets = PresetLedger(self.ledger.lanes, clock)
        contracts = {dialect.name: dialect for dialect in self.dialects}
        self.importer = Importer(
            self.ledger,
            self.imports,
            contracts,
            clock,
            owner=own_name(),
            settings=reader_settings(config),
        )
        files = (
            *Imports(self.mill, self.imports, self.presets, self.importer, contracts).calls(),
            *Presets(self.presets).calls(),
            *Exports(self.mill, contracts).calls(),
            *Streams(self.mill, self.ledger, self.imports, contracts, self.stopping).calls(),
        )
        erasures = Erasures(self.ledger, rewriter(config, self.dialects))
        self.manage = manage.build(
            self.mill,
            self.ledger,
            self.dialects,
            self.limits,
            self.authenticator,
            config,
            (*webhooks.calls(self.pipeline.endpoints, self.ledger.outbox), *files, *erasures.calls()),
        )
        self.web = Web(
            (*self.dialects, self.manage),
            self.ledger,
            self.authenticator,
            self.limits,
            RateLimiter(config.rate_limit),
            plain={
                "/livez": livez,
                "/readyz": readyz(self._checks()),
                "/metrics": metrics,
                **documents.paths(self.manage, self.limits, config),
            },
            access_log=config.access_log,
            failed_keys=FailedKeys(config.failed_keys_max),
            at_work=AtWork(config.in_flight_max),
            addresses=Addresses(config.trusted_proxies),
        )
        self.console = Console(
            Parts(
                config=config,
                mill=self.mill,
                ledger=self.ledger,
                authenticator=self.authenticator,
                dialects=self.dialects,
                faces=(*self.dialects, self.manage),
                plain=self.web.plain,
                endpoints=self.pipeline.endpoints,
                imports=self.imports,
                clock=clock,
                started_at=clock(),
            )
        )
        self.web.console = self.console
        self.web.record = self.console.requests.take

    def _checks(self) -> dict[str, Check]:
        async def store() -> None:
            await self.ledger.lanes.read(lambda tx: tx.one("find_account", 1))

        async def staying() -> None:
            if self.web.draining:
                raise Overloaded("the server is leaving")

        async def schema() -> None:
            applied = await self.ledger.lanes.read(lambda tx: {row[0] for row in tx.all("find_migrations")})
            waiting = [migration.version for migration in self.shipped if migration.version not in applied]
            if waiting:
                raise Overloaded(f"the schema waits for {waiting[0]}")

        checks: dict[str, Check] = {"store": store, "schema": schema, "staying": staying}
        if isinstance(self.engine, SqliteEngine):
            checks["disk"] = disk_check(self.engine.path.parent)
        return checks

    def _make_upkeep(self) -> Upkeep:
        on_file = isinstance(self.engine, SqliteEngine)
        return Upkeep(
            self.ledger,
            clock,
            raw_days=self.config.raw_retention_days,
            backup_hours=self.config.backup_every_hours,
            back_up=self._back_up if on_file else None,
        )

    def leave_to_others(self) -> None:
        """This process takes orders in; what becomes due is told to those that deliver and import."""
        self.ledger.outbox.on_deliveries = self.engine.bell.ring
        self.importer.on_due = self.engine.bell.ring

    def measure(self) -> None:
        """Sizes and ages for the metrics. Asks disk and database: not for the event loop."""
        observe.DB_BYTES.set(self.engine.size_bytes() or 0)
        if isinstance(self.engine, SqliteEngine):
            folder = self.engine.path.parent
            observe.DISK_FREE.set(shutil.disk_usage(folder).free)
            made = backup.found(folder / "backups")
            if made:
                newest = datetime.fromisoformat(made[-1].created_at).timestamp()
                observe.BACKUP_AGE.set(max(0.0, time.time() - newest))

    async def _back_up(self) -> None:
        """A backup beside the ledger, and the oldest of its kind away. Told in the metrics as well as in the log."""
        assert isinstance(self.engine, SqliteEngine)
        folder = self.engine.path.parent / "backups"
        made = await asyncio.to_thread(backup.create, self.engine.path, folder, scheduled=True)
        await asyncio.to_thread(backup.thin_out, folder, self.config.backup_keep)
        observe.log.info("backup.made", name=made.name, size_bytes=made.size_bytes, orders=made.orders)

    def close(self) -> None:
        self.ledger.close()
        sys.stdout.flush()
