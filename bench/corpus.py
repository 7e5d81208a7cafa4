"""The orders that are sent: made from a seed, the same in every run, about 700 bytes each in all three contracts."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson

CONTRACTS = ("brevo", "karrio", "centra")
CITIES = ("Basel", "Malmö", "Brynmenyn", "Göteborg", "Lyon", "Porto", "Wrocław", "Gent")
DAYS_PER_YEAR = 336  # twelve months of 28 days


class Corpus:
    """Orders by number. Every second buyer is new, the others have ordered before; dates rise with the numbers."""

    def __init__(self, seed: int = 1, run: str = "o") -> None:
        self.seed = seed
        self.run = run

    def body(self, contract: str, first: int, size: int, change: int = 0) -> bytes:
        """A batch of orders from number `first` on. `change`: another version of the same orders (Brevo)."""
        orders = [self.order(contract, number, change) for number in range(first, first + size)]
        if contract == "centra":
            return orjson.dumps({f"{self.run}{number}": order for number, order in enumerate(orders, first)})
        envelope: dict[str, Any] = {"orders": orders}
        if contract == "brevo":
            envelope["historical"] = True
        return orjson.dumps(envelope)

    def single(self, contract: str, number: int, change: int = 0) -> bytes:
        return orjson.dumps(self.order(contract, number, change))

    def order(self, contract: str, number: int, change: int = 0) -> dict[str, Any]:
        make: Callable[..., dict[str, Any]] = {"brevo": _brevo, "karrio": _karrio, "centra": _centra}[contract]
        chance = random.Random(f"{self.seed}/{number}")
        buyer = number // 2 if number % 4 else chance.randrange(number // 2 + 1)
        return make(f"{self.run}{number:08d}", number, buyer, chance, change)


def with_bad(body: bytes, share: float, seed: int = 1) -> bytes:
    """A Brevo batch in which a share of the orders has a fault: an amount in words, a date that is none."""
    sent = orjson.loads(body)
    chance = random.Random(seed)
    for place in chance.sample(range(len(sent["orders"])), round(len(sent["orders"]) * share)):
        order = sent["orders"][place]
        if chance.random() < 0.5:
            order["amount"] = "a lot"
        else:
            order["createdAt"] = "yesterday"
    return orjson.dumps(sent)


def _day(number: int, chance: random.Random) -> str:
    """A day of the years since 2021, three thousand orders to each, give or take two days."""
    day = number // 3000 + chance.randrange(3)
    return f"{2021 + day // DAYS_PER_YEAR}-{1 + day // 28 % 12:02d}-{1 + day % 28:02d}"


def _brevo(reference: str, number: int, buyer: int, chance: random.Random, change: int) -> dict[str, Any]:
    lines = [
        {
            "productId": f"P{chance.randrange(20_000)}",
            "quantity": chance.randint(1, 5),
            "variantId": f"P{chance.randrange(100)}100",
            "price": chance.randrange(100, 30_000) / 100,
        }
        for _ in range(chance.randint(1, 6))
    ]
    day = _day(number, chance)
    return {
        "id": reference,
        "createdAt": f"{day}T{chance.randrange(24):02d}:{chance.randrange(60):02d}:23.383Z",
        "updatedAt": f"2025-07-30T10:{change % 60:02d}:54.000Z",
        "status": "completed" if change == 0 else f"version {change}",
        "amount": chance.randrange(500, 90_000) / 100,
        "storeId": "ST-1",
        "identifiers": {"email_id": f"buyer{buyer * 7919 % 10**8}@example.com", "ext_id": f"C{buyer}"},
        "products": lines,
        "billing": {
            "address": f"{chance.randrange(1, 200)} Somewhere Road",
            "city": chance.choice(CITIES),
            "countryCode": "CH",
            "phone": f"01559{buyer % 10**6:06d}",
            "postCode": str(chance.randrange(1000, 9999)),
            "paymentMethod": "PayPal",
            "region": "Northwestern Switzerland",
        },
        "coupons": ["EASTER15OFF"],
        "metaInfo": {"channel": "web", "weight": chance.randrange(5000)},
    }


def _karrio(reference: str, number: int, buyer: int, chance: random.Random, change: int) -> dict[str, Any]:
    lines = [
        {
            "title": "A thing to be sent",
            "sku": f"SKU{chance.randrange(20_000)}",
            "quantity": chance.randint(1, 5),
            "weight": chance.randrange(1, 90) / 10,
            "weight_unit": "KG",
            "value_amount": chance.randrange(100, 30_000) / 100,
            "value_currency": "USD",
        }
        for _ in range(chance.randint(1, 4))
    ]
    return {
        "order_id": reference,
        "order_date": _day(number, chance),
        "source": "bench",
        "shipping_to": {
            "person_name": f"Buyer Number {buyer}",
            "address_line1": f"{chance.randrange(1, 200)} Somewhere Road",
            "city": chance.choice(CITIES),
            "country_code": "CH",
            "postal_code": str(chance.randrange(1000, 9999)),
            "email": f"buyer{buyer * 7919 % 10**8}@example.com",
            "phone_number": f"01559{buyer % 10**6:06d}",
        },
        "line_items": lines,
        "options": {"currency": "USD"},
        "metadata": {"channel": "web", "version": change},
    }


def _centra(reference: str, number: int, buyer: int, chance: random.Random, change: int) -> dict[str, Any]:
    address = {
        "email": f"buyer{buyer * 7919 % 10**8}@example.com",
        "firstName": "Buyer",
        "lastName": f"Number {buyer}",
        "tele": f"01559{buyer % 10**6:06d}",
        "address": f"{chance.randrange(1, 200)} Somewhere Road",
        "city": chance.choice(CITIES),
        "zipcode": str(chance.randrange(1000, 9999)),
        "country": "SE",
    }
    return {
        "invoiceAddress": address,
        "deliveryAddress": address,
        "products": [
            {
                "qty": chance.randint(1, 5),
                "sku": f"SKU{chance.randrange(20_000)}",
                "unitPrice": chance.randrange(100, 30_000) / 100,
                "comment": "as agreed",
            }
            for _ in range(chance.randint(1, 4))
        ],
        "shippingValue": 4.9,
        "orderDate": _day(number, chance),
        "comment": f"{reference}, version {change}",
    }
