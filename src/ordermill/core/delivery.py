"""Endpoints, deliveries, attempts, and the rules between them: who gets what, when to try again or give up. Pure."""

from __future__ import annotations

import base64
import enum
import secrets
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import msgspec

from ordermill.core.event import (
    OPERATIONAL,
    WORD,
    Draught,
    Event,
    EventType,
    Subject,
    Voice,
    spell_message,
)
from ordermill.core.order import Mode

# Seconds before each attempt, counted from the one before. Standard Webhooks' own example: ten attempts in 75 h 35 m.
RETRY_DELAYS_S: tuple[float, ...] = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.2
RETRY_AFTER_MAX_S = 86_400.0
DISABLE_AFTER_S = 5 * 86_400.0
SECRET_OVERLAP_S = 24 * 3_600
SNIPPET_BYTES_MAX = 1_024
ENDPOINTS_MAX = 100  # of one account and mode, those made by notifyUrl aside
FILTERS_MAX = 100
_US = 1_000_000


class Kind(enum.StrEnum):
    """By whom an endpoint is spoken to. NOTIFY stands for a host that batches name in notifyUrl."""

    OWN = "ordermill"
    KARRIO = "karrio"
    NOTIFY = "notify"


class Format(enum.StrEnum):
    PLAIN = "plain"
    CLOUDEVENTS = "cloudevents"


class Ordering(enum.StrEnum):
    """What waits for what at one endpoint: nothing, an order's newer event for its older one, or everything."""

    NONE = "none"
    PER_ORDER = "per_order"
    STRICT = "strict"


class EndpointState(enum.StrEnum):
    """PAUSED gathers deliveries and sends none; DISABLED gathers none; DELETED is only there for its log."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    DELETED = "deleted"


class DeliveryState(enum.IntEnum):
    PENDING = 0
    DELIVERED = 1
    EXHAUSTED = 2

    @property
    def word(self) -> str:
        return self.name.lower()


class Failure(enum.StrEnum):
    """Why an attempt did not count as delivered, or (CUT) what was odd about one that did."""

    REFUSED = "refused"  # an address events may not go to
    NAME = "name_not_found"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    PROTOCOL = "broken_http"
    REDIRECTED = "redirected"
    THROTTLED = "throttled"
    GONE = "gone"
    CLIENT = "client_error"
    SERVER = "server_error"
    CUT = "answer_cut"
    BROKER = "broker"
    INTERNAL = "internal"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An address that wants events. Instants are µs since 1970 UTC.

    `events`: what it wants, in the words of its kind; none: all that are not about the pipeline itself. `old_secret` is
    valid beside `secret` until `old_secret_until`. `failing_since`: the first failure after the last success.
    """

    id: int
    account_id: int
    mode: Mode
    kind: Kind
    url: str
    description: str
    events: tuple[str, ...]
    format: Format
    ordering: Ordering
    state: EndpointState
    reason: str
    secret: str
    old_secret: str | None
    old_secret_until: int | None
    created_at: int
    changed_at: int
    last_success_at: int | None = None
    last_failure_at: int | None = None
    failing_since: int | None = None
    last_error: str = ""

    def secrets_at(self, now: int) -> tuple[str, ...]:
        """The secrets that sign at that instant, the new one first."""
        if self.old_secret is not None and self.old_secret_until is not None and now < self.old_secret_until:
            return (self.secret, self.old_secret)
        return (self.secret,)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event owed to one endpoint. `attempt` counts claims and fences them; `tries` counts attempts.

    `url`: where the endpoint is a host and the address the batch's own. While `owner` holds it, `due_at` is the end of
    the lease.
    """

    id: int
    account_id: int
    mode: Mode
    event_id: int
    endpoint_id: int
    url: str | None
    lane: int | None
    state: DeliveryState
    due_at: int
    attempt: int
    tries: int
    owner: str | None
    last_status: int | None
    last_error: str
    created_at: int
    finished_at: int | None
    event_type: EventType
    event_at: int

    @property
    def message_id(self) -> str:
        return spell_message(self.event_id, self.account_id, self.event_at)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try, as the log keeps it. `error` is a Failure's word, empty when nothing was wrong."""

    delivery_id: int
    number: int
    at: int
    took_ms: int
    status: int | None
    error: str
    snippet: str


class Claim(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A delivery in this process's hands, with all it takes to send it. `attempt` is the fence."""

    delivery_id: int
    account_id: int
    endpoint_id: int
    attempt: int
    tries: int
    lane: int | None
    url: str | None
    event: Event


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt. `status`: None when no answer came that far."""

    status: int | None
    failure: Failure | None
    took_ms: int
    retry_after_s: float | None = None
    snippet: str = ""

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Result(msgspec.Struct, frozen=True):
    """A claim and its answer. `at`: the instant of the attempt."""

    claim: Claim
    answer: Answer
    at: int


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and when to try. `jitter` gives a number in [-1, 1]."""

    delays_s: tuple[float, ...] = RETRY_DELAYS_S
    disable_after_s: float = DISABLE_AFTER_S
    jitter: Callable[[], float]


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of a delivery: its state and when it is due again."""

    state: DeliveryState
    due_at: int
    tries: int


def after_attempt(result: Result, policy: Policy) -> Verdict:
    """Delivered, due again, or given up: after its last delay, or when trying again cannot help."""
    answer, claim = result.answer, result.claim
    if answer.delivered:
        return Verdict(DeliveryState.DELIVERED, result.at, claim.tries + 1)
    tries = claim.tries + 1
    hopeless = answer.failure is Failure.REFUSED or answer.failure is Failure.GONE
    if hopeless or claim.event.type is EventType.PING or tries >= len(policy.delays_s):
        return Verdict(DeliveryState.EXHAUSTED, result.at, tries)
    delay_s = policy.delays_s[tries] * (1 + JITTER * policy.jitter())
    if answer.retry_after_s is not None:
        delay_s = max(delay_s, min(answer.retry_after_s, RETRY_AFTER_MAX_S))
    return Verdict(DeliveryState.PENDING, result.at + int(delay_s * _US), tries)


class Health(msgspec.Struct, frozen=True):
    """How an endpoint fares: what its row says after some results. `disable`: why it is to be disabled, else empty."""

    last_success_at: int | None
    last_failure_at: int | None
    failing_since: int | None
    last_error: str
    disable: str = ""


def after_results(endpoint: Endpoint, results: Iterable[Result], policy: Policy) -> Health:
    """The endpoint's health after results of it, in the order of their instants.

    A host of notifyUrl addresses is never disabled: the next batch is another promise.
    """
    success, failure, since, error = (
        endpoint.last_success_at,
        endpoint.last_failure_at,
        endpoint.failing_since,
        endpoint.last_error,
    )
    disable = ""
    for result in sorted(results, key=lambda entry: entry.at):
        if result.answer.delivered:
            success, since, error = result.at, None, ""
            continue
        failure = result.at
        since = result.at if since is None else since
        error = error_word(result.answer)
        if endpoint.kind is Kind.NOTIFY:
            continue
        if result.answer.failure is Failure.GONE:
            disable = "it answered 410 Gone"
        elif result.at - since >= policy.disable_after_s * _US:
            disable = f"{round(policy.disable_after_s / 86_400)} days of nothing but failures (last: {error})"
    return Health(success, failure, since, error, disable if since is not None else "")


class Due(msgspec.Struct, frozen=True, gc=False):
    """A delivery that may be claimed, or (`ahead_until`) one that waits for an older one of its lane."""

    claim: Claim
    due_at: int
    ahead_until: int | None


class Recorded(msgspec.Struct, frozen=True):
    """What recording some results came to. `lost`: results that no longer counted; `woken`: lanes that moved on."""

    health: dict[int, Health]
    lost: int
    woken: int
    deliveries: int


def error_word(answer: Answer) -> str:
    """What the log says of an answer: the failure's word, with the status where there was one."""
    if answer.failure is None:
        return ""
    if answer.status is None or answer.failure in (Failure.CUT, Failure.GONE):
        return answer.failure.value
    return f"{answer.failure.value} {answer.status}"


# who gets what


Ear = Callable[[Draught], bool]


def ear_of(endpoint: Endpoint, voice: Voice) -> Ear | None:
    """How to tell whether an endpoint is to be told of an event; None when it is to be told of nothing.

    Paused ones are told: they get it later.
    """
    if endpoint.state not in (EndpointState.ACTIVE, EndpointState.PAUSED) or endpoint.kind is Kind.NOTIFY:
        return None
    word_of, events = voice.word, frozenset(endpoint.events)
    everything = not events or voice.everything in events

    def hears(draught: Draught) -> bool:
        word = word_of(draught)
        if word is None:
            return False
        if draught.type in OPERATIONAL:
            return word in events
        return everything or word in events or f"{word.partition('.')[0]}.*" in events

    return hears


def wants(endpoint: Endpoint, draught: Draught, voice: Voice) -> bool:
    """Whether an endpoint is to be told of an event."""
    hears = ear_of(endpoint, voice)
    return hears is not None and hears(draught)


def lane_of(ordering: Ordering, draught: Draught) -> int | None:
    """Deliveries of one lane go one after the other; without a lane nothing is waited for."""
    if ordering == "strict":
        return 0
    return draught.order_id if ordering == "per_order" else None


def host_of(url: str) -> str:
    """`https://host:port` of an address: what all notifyUrl addresses of one host have in common."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
        host = (parts.hostname or "")[:255]
    except ValueError:  # nothing that could ever be called; the attempt will say so
        return "invalid:"
    return f"{parts.scheme.lower()}://{f'[{host}]' if ':' in host else host}:{port}"


def known_filters(own_types: Iterable[str]) -> frozenset[str]:
    """What an endpoint of our own may ask for: a type, a family of types, everything."""
    types = frozenset(own_types)
    return types | {f"{name.partition('.')[0]}.*" for name in types if "." in name} | {"*"}


OWN_FILTERS = known_filters(type_.value for type_ in EventType)


def make_secret() -> str:
    """`whsec_` and 32 random bytes in base64, as Standard Webhooks writes them."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def own_voice() -> Voice:
    """Our own endpoints: the type as it is, the stored bytes as they are."""

    def write(event: Event, _subject: Subject | None) -> bytes:
        return event.body

    return Voice(Kind.OWN.value, "*", lambda draught: WORD[draught.type], write)
