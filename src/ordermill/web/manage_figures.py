"""What this server takes (limits), and what came in lately (overview)."""

from __future__ import annotations

from collections.abc import Mapping

from ordermill.config import Config
from ordermill.core import limits as house
from ordermill.core.errors import Invalid
from ordermill.core.figures import HOUR_US, Tally, TallyQuery
from ordermill.core.memo import KEPT_S
from ordermill.dialects.dialect import Dialect
from ordermill.dialects.reading import iso
from ordermill.store.ledger import Ledger
from ordermill.web import shapes, telling
from ordermill.web.call import Answer, Call
from ordermill.web.http import Reply, Request
from ordermill.web.parameters import PAGE_MAX, choice, moment, read_query, text

HOURS_DEFAULT = 24
HOURS_MAX = 24 * 92
RANGE = (
    moment("since", f"From this instant's hour on; {HOURS_DEFAULT} hours before `until` unless told."),
    moment("until", "Up to the end of the hour before this instant's, or of its own where it is under way; now."),
    choice("contract", "Only what came in through this contract.", shapes.CONTRACTS),
    text("keyId", "Only what this key sent."),
)


class Figures:
    """The handlers."""

    def __init__(self, ledger: Ledger, dialects: Mapping[str, Dialect], limits: house.Limits, config: Config) -> None:
        self.ledger = ledger
        self.dialects = dialects
        self.limits = limits
        self.config = config

    async def get_limits(self, request: Request) -> Reply:
        """GET /limits."""
        read_query(request.query(), ())
        limits = self.limits
        contracts = {
            dialect.name: shapes.ContractLimits(orders_in_request=dialect.orders_max, body_bytes=dialect.body_bytes_max)
            for dialect in self.dialects.values()
        }
        contracts["ordermill"] = shapes.ContractLimits(orders_in_request=limits.orders, body_bytes=limits.body_bytes)
        told = shapes.Limits(
            contracts=contracts,
            lines_per_order=limits.lines_per_order,
            metadata_keys=limits.metadata_keys,
            reference_characters=limits.reference_chars,
            text_characters=limits.text_chars,
            nesting=limits.nesting,
            page_entries=PAGE_MAX,
            requests_per_minute=self.config.rate_limit or None,
            request_deadline_seconds=limits.request_deadline_s,
            raw_retention_days=self.config.raw_retention_days,
            idempotency_key_hours=KEPT_S // 3600,
        )
        return telling.write(told)

    async def get_overview(self, request: Request) -> Reply:
        """GET /overview: sums per hour from the tally, which is kept as orders come in; nothing is counted here."""
        asked = read_query(request.query(), RANGE)
        until = -(-asked.get("until", request.now) // HOUR_US)
        since = asked["since"] // HOUR_US if "since" in asked else until - HOURS_DEFAULT
        if not 0 < until - since <= HOURS_MAX:
            raise Invalid(f"since must be before until, and at most {HOURS_MAX // 24} days before it", field="since")
        query = TallyQuery(since_hour=since, until_hour=until, dialect=asked.get("contract"), key_id=asked.get("keyId"))
        figures = await self.ledger.find_figures(request.who, query)
        total = figures.total
        told = shapes.Overview(
            since=iso(since * HOUR_US),
            until=iso(until * HOUR_US),
            batches=total.batches,
            received=total.received,
            created=total.created,
            updated=total.updated,
            unchanged=total.unchanged,
            failed=total.failed,
            hours=[_hour(tally) for tally in figures.hours],
            orders={name: figures.orders.get(name, 0) for name in self.dialects},
            unfinished_batches=figures.unfinished_batches,
            oldest_unfinished_at=(None if figures.oldest_unfinished_at is None else iso(figures.oldest_unfinished_at)),
        )
        return telling.write(told)

    def calls(self) -> tuple[Call, ...]:
        return (
            Call(
                method="GET",
                pattern="/overview",
                id="getOverview",
                tag="Figures",
                summary="What came in, hour by hour",
                handler=self.get_overview,
                parameters=RANGE,
                answers=(Answer(status=200, sentence="The figures.", body=shapes.Overview),),
                refuses=(422,),
            ),
            Call(
                method="GET",
                pattern="/limits",
                id="getLimits",
                tag="Figures",
                summary="What this server takes",
                handler=self.get_limits,
                answers=(Answer(status=200, sentence="The limits.", body=shapes.Limits),),
                refuses=(422,),
            ),
        )


def _hour(tally: Tally) -> shapes.Hour:
    return shapes.Hour(
        at=iso(tally.hour * HOUR_US),
        batches=tally.batches,
        received=tally.received,
        created=tally.created,
        updated=tally.updated,
        unchanged=tally.unchanged,
        failed=tally.failed,
    )
