"""What our own API says of imports and streams: one struct per JSON object."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from ordermill.web.shapes import BatchId, Contract, Counts, Instant, Problem, Shape

State = Literal[
    "receiving", "ready", "checking", "queued", "running", "streaming", "stopped", "completed", "cancelled", "failed"
]
ImportId = Annotated[str, Meta(pattern="^imp_[0-9]+$", examples=["imp_7"])]
How = Literal["told", "preset", "sure", "guess", "ours", "ignored"]


class ImportPlan(Shape, kw_only=True, forbid_unknown_fields=True):
    """How a file is to be read and taken in. What is left out is found out by looking at the file.

    `columns`: column -> field. `constants`: field -> text for orders that do not say it. `group`: whether rows of one
    order follow each other, or may stand anywhere. `preset`: one that comes with the program, or one of your own, which
    fills what the plan leaves out. `presetApplied`: it was filled already; your own one is not looked up again.
    """

    contract: Contract | None = None
    preset: str = ""
    preset_applied: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    mapped: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    source: str = ""
    sheet: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    date_format: str | None = None
    zone: str = "UTC"
    group: Literal["adjacent", "all"] = "adjacent"
    historical: bool = True
    on_error: Literal["continue", "stop"] = "continue"
    stop_after: int | None = None
    limit: int | None = None


class ImportColumn(Shape):
    """One column of the file. `field` is empty for one that is passed over; `samples`: its cells in the first rows."""

    name: str
    field: str
    how: How
    samples: list[str]


class ImportFile(Shape):
    """How the file was understood. `contract`: what its orders go in as, and `why`. `guesses`: sentences to be read."""

    told: str
    contract: str
    why: str
    preset: str
    sheet: str
    columns: list[ImportColumn]
    guesses: list[str]


class ImportCause(Shape):
    """One reason why orders fail (or, with `warning`, look odd), how many, and the first of them."""

    code: str
    field: str
    column: str
    message: str
    hint: str
    count: int
    row: int
    value: str | None
    warning: bool


class ImportReport(Shape):
    """What a check or an import found. `notCarried`: field -> orders whose value the contract has no place for."""

    orders: int
    rows: int
    failed: int
    with_lines: int
    warned: int
    causes: list[ImportCause]
    more_causes: int
    not_carried: dict[str, int]


class SavedPreset(Shape):
    """A mapping of your own, kept under a name. `plan`: what a plan is filled with that names it as its `preset`."""

    name: str
    plan: ImportPlan
    created_at: Instant
    updated_at: Instant


class ImportLinks(Shape):
    errors_csv: str
    errors_ndjson: str
    batch: str | None


class Import(Shape):
    """A file on its way in. `share`: how much of it was read, 0 to 1. `message`: why it stopped or failed."""

    id: ImportId
    name: str
    state: State
    message: str
    size_bytes: int
    sha256: str
    share: float
    plan: ImportPlan
    file: ImportFile | None
    report: ImportReport | None
    batch_id: BatchId | None
    counts: Counts | None
    created_at: Instant
    updated_at: Instant
    finished_at: Instant | None
    links: ImportLinks


class Line(Shape, omit_defaults=True):
    """What became of one line of a stream."""

    line: int
    outcome: Literal["created", "updated", "unchanged", "stale", "failed"]
    key: str
    reference: str
    order_id: str | None = None
    problems: list[Problem] = field(default_factory=list)
    replayed: bool = False


class StreamEnd(Shape):
    """The last line of a stream's answer. `done` false: what came behind line `received` is not in; send it again."""

    done: bool
    batch_id: BatchId | None
    counts: Counts | None
    received: int
    message: str
