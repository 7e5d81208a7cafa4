"""`ordermill serve` and `ordermill worker`: one process from start to a clean end."""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import uvloop

from ordermill import __version__
from ordermill.app import House, make_engine, prepare
from ordermill.config import Config
from ordermill.core.errors import Overloaded
from ordermill.core.order import Mode
from ordermill.core.watching import TOLD_EVERY_S
from ordermill.holding import Unavailable, lock_data, note_address
from ordermill.web import observe
from ordermill.web.server import Server

TURN_S = 0.25
TURNS_TO_TELL = int(TOLD_EVERY_S / TURN_S)
IMPORT_GRACE_S = 3.0  # an import that is not at the end of its chunk by then is taken up again at the next start
Meanwhile = Callable[[House, str], Awaitable[None]]


def serve(config: Config, meanwhile: Meanwhile | None = None) -> int:
    """Runs until SIGTERM or SIGINT. `meanwhile` is given the running house and its URL, and ends it by returning."""
    observe.set_up_logging(config.log_level)
    lock = lock_data(config)
    listening = listen(config.host, config.port)
    try:
        engine = make_engine(config)
        for version in prepare(engine, config):
            observe.log.info("schema.migrated", version=version)
        return uvloop.run(_run(House(config, engine), config, listening, meanwhile))
    finally:
        listening.close()
        observe.LINES.flush()
        if lock is not None:
            lock.close()


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises Unavailable, saying what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(f"port {port} on {host} is taken; choose another with --port, or --port 0") from None
        raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror}") from None
    return listening


def calm_collector() -> None:
    """A batch makes tens of thousands of short-lived tuples and no cycles; the collector would walk them for nothing.

    Measured gain: see docs/performance.md.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


async def _run(house: House, config: Config, listening: socket.socket, meanwhile: Meanwhile | None) -> int:
    server = Server(
        house.web,
        config.host,
        config.port,
        deadline_s=config.request_deadline_s,
        header_bytes_max=house.limits.header_bytes,
    )
    server.install_signal_handlers_on(asyncio.get_running_loop())
    house.presence.doing = "requests, deliveries, imports" if config.background else "requests"
    upkeep = asyncio.create_task(_upkeep(house))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    ready = asyncio.create_task(server.ready.wait())
    background: list[asyncio.Task[None]] = []
    calm_collector()
    try:
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not server.ready.is_set():
            return 3  # uvicorn has said why
        url = f"http://{config.host}:{listening.getsockname()[1]}"
        note_address(config, url)
        where = "PostgreSQL" if config.database_url else f"{config.data} (SQLite)"
        print(f"Ordermill {__version__}   data {where}   {url}", flush=True)
        if meanwhile is None:
            print(f"Console   {await _way_in(house, url)}", flush=True)
        watch = asyncio.create_task(_watch(server, house))
        if config.background:
            background += start_background(house)
        else:
            house.leave_to_others()
        if meanwhile is not None:
            await meanwhile(house, url)
            server.ask_to_stop()
        await serving
        await watch
        return 0
    finally:
        ready.cancel()
        upkeep.cancel()
        await stop_background(house, background)
        await _note_uses(house)
        await _say_goodbye(house)
        house.close()


async def _way_in(house: House, url: str) -> str:
    """The console's address. The server serves, whether or not the ledger can be written just now."""
    try:
        token = await house.console.store.make_link(1, Mode.LIVE)
    except Overloaded:
        return f"{url}{house.console.root}/   (the ledger is away; ordermill login-link makes a link later)"
    return f"{house.console.link_to_sign_in(url, token)}   (one-time link)"


async def _note_uses(house: House) -> None:
    """When keys were last used: lost, if the ledger is away, and no reason to hold up the end."""
    try:
        await house.authenticator.write_down()
    except Overloaded as error:
        observe.log.warning("keys.uses_lost", error=str(error))


async def _say_goodbye(house: House) -> None:
    """So that nobody takes this process for one that fell silent."""
    with suppress(Overloaded):
        await house.presence.leave()


def start_background(house: House) -> list[asyncio.Task[None]]:
    """Deliveries, imports, clean-up: what any process may do, and several may do together on PostgreSQL."""
    house.pipeline.start()

    def wake() -> None:
        house.pipeline.dispatcher.wake()
        house.importer.wake()

    return [
        asyncio.create_task(_until(house.stopping, house.engine.bell.listen(wake))),
        asyncio.create_task(house.importer.run_until(house.stopping)),
        asyncio.create_task(house.upkeep.run(house.stopping)),
    ]


async def _until(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Cancels the work when it is time to stop."""
    working = asyncio.create_task(work)
    await stopping.wait()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def stop_background(house: House, running: list[asyncio.Task[None]]) -> None:
    """What is in hand is finished, or left to whoever takes it up next."""
    house.stopping.set()
    if running:
        await asyncio.wait(running, timeout=IMPORT_GRACE_S)
    await house.pipeline.stop()


def work(config: Config) -> int:
    """`ordermill worker`: the background of `serve` without its server, until SIGTERM or SIGINT."""
    observe.set_up_logging(config.log_level)
    lock = lock_data(config)
    try:
        engine = make_engine(config)
        prepare(engine, config)
        return uvloop.run(_work(House(config, engine)))
    finally:
        observe.LINES.flush()
        if lock is not None:
            lock.close()


async def _work(house: House) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, house.stopping.set)
    running = start_background(house)
    house.presence.doing = "worker: deliveries, imports, clean-up"
    upkeep = asyncio.create_task(_upkeep(house))
    calm_collector()
    print(f"Ordermill {__version__}   worker: deliveries, imports, clean-up", flush=True)
    try:
        await house.stopping.wait()
        return 0
    finally:
        upkeep.cancel()
        await stop_background(house, running)
        await _say_goodbye(house)
        house.close()


async def _watch(server: Server, house: House) -> None:
    """As soon as the end is asked for, readyz says so and new writes are sent away."""
    await server.asked_to_stop.wait()
    house.web.draining = True
    house.stopping.set()
    await house.pipeline.stop()


async def _upkeep(house: House) -> None:
    """Small regular duties of this process."""
    turn = TURNS_TO_TELL - 10  # the first measures soon
    await _told_only(house.steps.at_start)
    while True:
        await asyncio.sleep(TURN_S)
        turn += 1
        await _told_only(house.steps.look)
        observe.LINES.flush()
        observe.BUFFERED.set(house.web.bodies.held)
        observe.WAITING.set(house.ledger.lanes.waiting())
        if turn % TURNS_TO_TELL == 0:
            await _told_only(partial(_tell_and_measure, house))


async def _tell_and_measure(house: House) -> None:
    await house.presence.tell()
    await asyncio.to_thread(house.measure)
    await house.authenticator.write_down()


async def _told_only(duty: Callable[[], Awaitable[None]]) -> None:
    """A duty that fails is told of and does not end the others; its next turn comes."""
    try:
        await duty()
    except Exception as error:
        print(f"ordermill: {error}", file=sys.stderr)
