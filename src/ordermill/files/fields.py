"""The fields of our order form, and every name under which people's columns hide them.

Paths are the core's own words (`ship_to.city`, `lines.sku`); `metadata.<name>` takes whatever has no field. A sure name
is taken as it stands; a guess is taken too, but shown as one.
"""

from __future__ import annotations

import re
from functools import cache

import msgspec

WEIGHT_WORDS = {
    "kg": "KG", "kgs": "KG", "g": "G", "gr": "G", "gramm": "G", "gram": "G", "grams": "G", "lb": "LB", "lbs": "LB",
    "oz": "OZ",
}  # fmt: skip


class Field(msgspec.Struct, frozen=True):
    """One field. `kind`: how its cells are read (values.READERS). `sure`, `maybe`: column names, normalised."""

    path: str
    kind: str
    sentence: str
    sure: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()

    @property
    def of_line(self) -> bool:
        return self.path.startswith("lines.")


def normal(name: str) -> str:
    """`shipping_to.personName` -> `shipping to person name`: what two spellings of a column have in common."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.strip().strip("'\"\ufeff"))
    return " ".join(re.sub(r"[^0-9a-z\u00c0-\uffff#]+", " ", apart.casefold()).split())


def _field(path: str, kind: str, sentence: str, sure: str = "", maybe: str = "") -> Field:
    def split(text: str) -> tuple[str, ...]:
        return tuple(name.strip() for name in text.split(",") if name.strip())

    return Field(path, kind, sentence, (normal(path), *split(sure)), split(maybe))


_HEAD = (
    _field("reference", "text", "the merchant's id of the order; rows with the same one are one order",
           "order id, orderid, order no, order number, order nr, order ref, order reference, order, increment id,"
                " order name,"
           " bestellnummer, bestell nr, bestellnr, bestell id, auftragsnummer, auftrags nr, auftragsnr,"
           " numero de commande, amazon order id, order #",
           "id, number, no, nr, ref, name id, external id, bestellung"),
    _field("source", "text", "the name space of the reference, where a shop has several", "order source", "channel"),
    _field("status", "text", "the order's status, in the merchant's words",
           "order status, state of order, bestellstatus", "fulfillment status, financial status"),
    _field("placed_at", "moment", "when the order was placed",
           "order date, ordered at, created at, placed at, purchase date, date ordered, order created, bestelldatum,"
           " date de commande, date created, purchased on, purchase point date", "date, created, datum, day, time"),
    _field("updated_at", "moment", "when the order was last changed: decides which version is the newest",
           "modified at, last modified, order updated, updated, date modified, last updated", "modified, changed"),
    _field("amount", "decimal", "the order's total",
           "total, order total, grand total, total amount, order amount, total price, gesamtbetrag, montant total,"
           " order total amount, grand total purchased", "sum, value, betrag, montant, price total"),
    _field("currency", "currency", "the currency of the order's amounts",
           "order currency, currency code, wahrung, währung, devise, options currency"),
    _field("shipping", "decimal", "what the delivery costs",
           "shipping cost, shipping amount, shipping total, shipping price, delivery cost, order shipping amount,"
           " versandkosten, shipping and handling", "freight, postage"),
    _field("discount", "decimal", "what was taken off the order",
           "discount amount, discount total, cart discount amount, order discount, rabatt", "rebate"),
    _field("payment_method", "text", "how it was paid", "payment method title, payment type, zahlungsart", "payment"),
    _field("store", "text", "the shop or branch", "store id, store name, shop id, shop name, purchase point", "shop"),
    _field("comment", "text", "a note to the order", "notes, customer note, order note, order notes, note",
         "remark, remarks"),
    _field("coupons", "list", "voucher codes, between commas",
           "coupon, coupon code, coupon codes, discount code, coupon items, voucher codes, vouchers"),
    _field("identifiers.email", "text", "the buyer's e-mail address",
           "email, e mail, mail, email address, e mail address, customer email, buyer email, billing email,"
           " contact email, order email, e mail adresse, email adresse, identifiers email id"),
    _field("identifiers.phone", "text", "the buyer's phone", "customer phone, buyer phone number,"
         " identifiers phone id"),
    _field("identifiers.ext", "text", "the buyer's id with the merchant",
           "customer id, customer number, customer user id, kundennummer, customer no, identifiers ext id", "customer"),
    _field("identifiers.loyalty", "text", "the buyer's loyalty subscription", "loyalty id,"
         " identifiers loyalty subscription id"),
)  # fmt: skip

# leaf, kind, sentence, sure and maybe names; the sure ones are asked for behind the words of each place
_ADDRESS = (
    ("name", "text", "full name", "name, person name, full name, recipient, recipient name, customer name, empfänger,"
     " kundenname", "contact, kunde"),
    ("first_name", "text", "first name", "first name, firstname, vorname", ""),
    ("last_name", "text", "last name", "last name, lastname, surname, nachname", ""),
    ("company", "text", "company", "company, company name, firma", ""),
    ("line1", "text", "street", "address 1, address1, address line1, address line 1, address, street, street address,"
     " strasse, straße, rue, adresse, street 1, address 1 2, line1", ""),
    ("line2", "text", "second address line", "address 2, address2, address line2, address line 2, street 2, line2", ""),
    ("street_number", "text", "house number", "street number, house number, house no, hausnummer", ""),
    ("city", "text", "city", "city, town, ort, stadt, ville, locality", ""),
    ("region", "text", "state or region", "state code, region, province, province code, state province, kanton, county",
     "state"),
    ("postal_code", "text", "postal code", "postal code, postcode, zip, zip code, zipcode, plz, postleitzahl,"
     " post code, npa, code postal", ""),
    ("country", "country", "country, by its code or name", "country code, countrycode, country, land, pays,"
     " country id, country iso", ""),
    ("email", "text", "e-mail address there", "", ""),
    ("phone", "text", "phone there", "phone, phone number, telephone, tel, telefon, telefonnummer, tele", ""),
    ("mobile", "text", "mobile phone there", "mobile, mobile phone, cell, cell phone, handy", ""),
    ("residential", "flag", "whether it is a private address", "residential, is residential", ""),
)  # fmt: skip
_PLACES = (
    ("ship_to", "ship to, shipping to, shipping, ship, delivery, delivery address, deliver to, recipient,"
         " lieferadresse,"
     " versand, shipping address", "where it goes: "),
    ("bill_to", "bill to, billing, billing address, bill, invoice, invoice address, rechnung, rechnungsadresse, buyer",
     "who pays: "),
    ("ship_from", "ship from, shipping from, sender, warehouse, from", "where it comes from: "),
)  # fmt: skip
_LINES = (
    ("quantity", "decimal", "how many", "quantity, qty, quantity purchased, qty ordered, menge, anzahl, quantite,"
         " pieces, quantity float", "count, units"),
    ("unit_price", "decimal", "price of one", "price, unit price, value amount, item cost, stückpreis, stuckpreis,"
         " preis,"
     " prix, price each, item price, einzelpreis, preis pro stück, verkaufspreis, prix unitaire,"
         " price per unit", "cost"),
    ("total", "decimal", "price of all of the line; the price of one is worked out", "line total, total price,"
         " row total, item total", ""),
    ("shipping", "decimal", "the line's part of what the delivery costs; the parts are added up", "", ""),
    ("list_price", "decimal", "price before any reduction", "compare at price, original price, list price, rrp", ""),
    ("product_id", "text", "the merchant's id of the product", "product id, asin, item id, productid,"
         " artikelnummer", ""),
    ("variant_id", "text", "the merchant's id of the variant", "variant id, variation id, variantid", ""),
    ("sku", "text", "stock keeping unit", "sku, item code, article number, article no, artikel nr, artikelnr,"
         " artikel", ""),
    ("ean", "text", "EAN or GTIN", "ean, gtin, barcode", ""),
    ("title", "text", "name of the product", "title, name, product name, item name, product, bezeichnung,"
         " artikelbezeichnung, artikelname", "title, item"),
    ("description", "text", "description", "description", ""),
    ("currency", "currency", "currency of the line's prices", "value currency", ""),
    ("weight", "decimal", "weight of one", "weight, gewicht, item weight, poids, "
     + ", ".join(f"{name} {unit}, {name} in {unit}" for name in ("weight", "gewicht", "poids", "item weight")
                 for unit in WEIGHT_WORDS), ""),
    ("weight_unit", "text", "KG, LB, OZ or G", "weight unit, unit of weight, gewicht einheit, gewichtseinheit",
         "einheit"),
    ("origin_country", "country", "country of origin", "origin country, country of origin", ""),
    ("hs_code", "text", "customs tariff number", "hs code, hscode, customs tariff number, tariff number", ""),
    ("comment", "text", "a note to the line", "comment, line note", ""),
)  # fmt: skip
_LINE_WORDS = "lineitem, line item, line items, lines, item, product, products, order item, line, article, commodity"


def _addresses() -> list[Field]:
    made = []
    for place, words, where in _PLACES:
        for leaf, kind, sentence, sure, maybe in _ADDRESS:
            names = [name.strip() for name in sure.split(",") if name.strip()] or [leaf]
            guesses = [name.strip() for name in maybe.split(",") if name.strip()]
            spelled = [f"{word.strip()} {name}" for word in words.split(",") for name in names + guesses]
            # Without a word for the place, an address is where the order goes.
            bare = tuple(names) if place == "ship_to" and leaf not in ("name",) else ()
            guess = (*guesses, "name") if place == "ship_to" and leaf == "name" else tuple(guesses)
            guess = guess if place == "ship_to" else ()
            made.append(
                Field(f"{place}.{leaf}", kind, where + sentence, (normal(f"{place}.{leaf}"), *spelled, *bare), guess)
            )
    return made


def _lines() -> list[Field]:
    made = []
    for leaf, kind, sentence, sure, maybe in _LINES:
        names = [name.strip() for name in sure.split(",") if name.strip()]
        guesses = [name.strip() for name in maybe.split(",") if name.strip()]
        spelled = [f"{word.strip()} {name}" for word in _LINE_WORDS.split(",") for name in names]
        bare = (
            names
            if leaf not in ("title", "comment", "total")
            else [name for name in names if name not in ("name", "title", "comment", "total price")]
        )
        made.append(Field(f"lines.{leaf}", kind, sentence, (normal(f"lines.{leaf}"), *spelled, *bare), tuple(guesses)))
    return made


FIELDS: dict[str, Field] = {field.path: field for field in (*_HEAD, *_addresses(), *_lines())}

# What each contract calls our fields: its own files are recognised by it, and its complaints are led back to columns.
_KARRIO_ADDRESS = {
    "person_name": "name", "company_name": "company", "address_line1": "line1", "address_line2": "line2",
    "street_number": "street_number", "city": "city", "state_code": "region", "postal_code": "postal_code",
    "country_code": "country", "email": "email", "phone_number": "phone", "residential": "residential",
}  # fmt: skip
_CENTRA_ADDRESS = {
    "firstName": "first_name", "lastName": "last_name", "attn": "name", "address": "line1", "coaddress": "line2",
         "city": "city",
    "state": "region", "zipcode": "postal_code", "country": "country", "email": "email", "tele": "phone",
    "cell": "mobile",
}  # fmt: skip
CONTRACT_PATHS: dict[str, dict[str, str]] = {
    "karrio": {
        "order_id": "reference", "order_date": "placed_at", "source": "source", "options.currency": "currency",
        **{f"shipping_to.{theirs}": f"ship_to.{ours}" for theirs, ours in _KARRIO_ADDRESS.items()},
        **{f"shipping_from.{theirs}": f"ship_from.{ours}" for theirs, ours in _KARRIO_ADDRESS.items()},
        **{f"billing_address.{theirs}": f"bill_to.{ours}" for theirs, ours in _KARRIO_ADDRESS.items()},
        "line_items.value_amount": "lines.unit_price", "line_items.value_currency": "lines.currency",
        **{f"line_items.{name}": f"lines.{name}" for name in ("quantity", "sku", "title", "description", "weight",
                                                              "weight_unit", "hs_code", "origin_country")},
    },
    "brevo": {
        "id": "reference", "createdAt": "placed_at", "updatedAt": "updated_at", "status": "status", "amount": "amount",
        "storeId": "store", "email": "identifiers.email", "identifiers.email_id": "identifiers.email",
        "identifiers.phone_id": "identifiers.phone", "identifiers.ext_id": "identifiers.ext",
        "identifiers.loyalty_subscription_id": "identifiers.loyalty", "coupons": "coupons",
        "billing.address": "bill_to.line1", "billing.city": "bill_to.city", "billing.country": "bill_to.country",
        "billing.countryCode": "bill_to.country", "billing.phone": "bill_to.phone",
        "billing.postCode": "bill_to.postal_code", "billing.region": "bill_to.region",
        "billing.paymentMethod": "payment_method", "products.productId": "lines.product_id",
        "products.variantId": "lines.variant_id", "products.price": "lines.unit_price",
        "products.quantity": "lines.quantity", "products.quantityFloat": "lines.quantity",
    },
    "centra": {
        "orderNumber": "reference", "orderDate": "placed_at", "shippingValue": "shipping", "voucherValue": "discount",
        "voucherCodes": "coupons", "comment": "comment",
        **{f"deliveryAddress.{theirs}": f"ship_to.{ours}" for theirs, ours in _CENTRA_ADDRESS.items()},
        **{f"address.{theirs}": f"ship_to.{ours}" for theirs, ours in _CENTRA_ADDRESS.items()},
        **{f"invoiceAddress.{theirs}": f"bill_to.{ours}" for theirs, ours in _CENTRA_ADDRESS.items()},
        "products.qty": "lines.quantity", "products.unitPrice": "lines.unit_price", "products.sku": "lines.sku",
        "products.originalPrice": "lines.list_price", "products.ean": "lines.ean", "products.id": "lines.product_id",
        "products.comment": "lines.comment",
    },
}  # fmt: skip
_INDEX = re.compile(r"\[\d+\]")


def our_path(contract: str, path: str) -> str | None:
    """The field of ours that a contract's path (indexes and all) speaks of."""
    plain = _INDEX.sub("", path)
    paths = CONTRACT_PATHS.get(contract, {})
    return paths.get(plain) or (plain if plain in FIELDS else None)


def without_index(path: str) -> str:
    """`line_items[2].weight` -> `line_items.weight`: the same cause in another line."""
    return _INDEX.sub("", path)


def line_index(path: str) -> int | None:
    """Which line a path speaks of."""
    found = _INDEX.search(path)
    return None if found is None else int(found[0][1:-1])


def known(path: str) -> bool:
    """Whether a path is a field, or one of the free members."""
    return path in FIELDS or (path.startswith("metadata.") and len(path) > len("metadata."))


def kind_of(path: str) -> str:
    field = FIELDS.get(path)
    return field.kind if field is not None else "text"


@cache
def all_names() -> frozenset[str]:
    """Every name, normalised, that a column is known by."""
    sure, maybe = by_name()
    return frozenset((*sure, *maybe))


def unit_in_name(name: str) -> str:
    """`Gewicht (kg)` -> `KG`: the unit of weight that the name of a column ends with, or ''."""
    return WEIGHT_WORDS.get(normal(name).rpartition(" ")[2], "")


def by_name() -> tuple[dict[str, str], dict[str, str]]:
    """(sure name -> path, guessed name -> path). What is said first holds."""
    sure: dict[str, str] = {}
    maybe: dict[str, str] = {}
    for paths in CONTRACT_PATHS.values():
        for theirs, ours in paths.items():
            if "." in theirs or len(normal(theirs).split()) > 1:
                sure.setdefault(normal(theirs), ours)
    for field in FIELDS.values():
        for name in field.sure:
            sure.setdefault(name, field.path)
        for name in field.maybe:
            maybe.setdefault(name, field.path)
    return sure, maybe
