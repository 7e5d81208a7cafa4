"""night.csv: a night's orders as an ERP would leave them, the same every time: 2,000 orders, 18 of them failing."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal

HEADER = (
    "order_no", "date", "name", "email", "street", "zip", "city", "state", "country", "sku", "title", "qty", "price",
    "weight", "weight_unit", "currency", "internal_note", "colour",
)  # fmt: skip
_PEOPLE = (
    "Ada Lind",
    "Ben Okafor",
    "Chiara Rossi",
    "Daniel Meier",
    "Élise Martin",
    "Farid Haddad",
    "Grete Øster",
    "Hana Sato",
)
_TOWNS = (
    ("8004", "Zürich", "ZH", "CH"), ("3011", "Bern", "BE", "CH"), ("80331", "München", "BY", "DE"),
    ("1010", "Wien", "", "AT"), ("69002", "Lyon", "", "FR"), ("20121", "Milano", "MI", "IT"),
    ("10115", "Berlin", "BE", "DE"), ("1000", "Bruxelles", "", "BE"),
)  # fmt: skip
_GOODS = (
    ("MUG-01", "Mug, stoneware", "12.50", "0.38"), ("BOWL-03", "Bowl, large", "28.00", "0.95"),
    ("TEA-DRJ", "Darjeeling, 250 g", "17.90", "0.27"), ("KETTLE", "Kettle, enamel", "64.00", "1.40"),
    ("SPOON-6", "Spoons, set of six", "22.00", "0.31"),
)  # fmt: skip

# What goes wrong in a night: each cause, and every how many orders.
LONG_STATE = "New South Wales (Australia)"
_WRONG = {"state": 9, "weight_unit": 5, "country": 3, "lines": 1}


def rows(orders: int = 2_000, wrong: dict[str, int] | None = None) -> Iterator[tuple[str, ...]]:
    """The rows behind the header. `wrong`: how many orders fail for which reason, spread over the file."""
    faults = _spread(orders, _WRONG if wrong is None else wrong)
    for number in range(orders):
        lines = 3 if number % 100 == 42 else 1
        fault = faults.get(number, "")
        for line in range(lines):
            yield _row(number, line, fault)


def _row(number: int, line: int, fault: str) -> tuple[str, ...]:
    zip_code, city, state, country = _TOWNS[number % len(_TOWNS)]
    person = _PEOPLE[number * 7 % len(_PEOPLE)]
    sku, title, price, weight = _GOODS[(number + line) % len(_GOODS)]
    quantity, unit = str(1 + number % 3), "KG"
    if fault == "state":
        state = LONG_STATE
    elif fault == "country":
        country = "UK"
    elif fault == "weight_unit":
        unit = "kgs"
    elif fault == "lines":
        sku = title = quantity = price = weight = unit = ""
    mail = f"{person.split()[0].lower().replace('é', 'e')}.{number % 600}@shop.example"
    price = str(Decimal(price) + Decimal(number % 5)) if price else ""
    return (
        f"N-{100_000 + number}", f"2026-11-{1 + number % 19:02}", person, mail, f"Hauptstrasse {1 + number % 180}",
        zip_code, city, state, country, sku, title, quantity, price, weight, unit, "CHF",
        "gift" if number % 9 == 0 else "", ("blue", "white", "")[number % 3],
    )  # fmt: skip


def _spread(orders: int, wrong: dict[str, int]) -> dict[int, str]:
    total = sum(wrong.values())
    faults: dict[int, str] = {}
    names = [name for name, count in wrong.items() for _ in range(count)]
    for index, name in enumerate(names):
        place = (index * orders // total + orders // (2 * total)) if total else 0
        faults[place + (1 if place % 100 == 42 else 0)] = name
    return faults


def text(orders: int = 2_000, wrong: dict[str, int] | None = None) -> str:
    """The whole file."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows(orders, wrong))
    return out.getvalue()
