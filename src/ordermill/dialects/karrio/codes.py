"""The codes of the Karrio contract, and what people write in their place.

The two long lists are the published page's own, in its order (contract, section 9, row 7): 240 countries, among them
some that carriers use and ISO does not know (IC, XB, KV), and 143 currencies. The ISO lists hold only what ISO 3166-1
and ISO 4217 have beyond those.
"""

from __future__ import annotations

from collections.abc import Iterable


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COUNTRIES = _words(
    """
    AC AD AE AF AG AI AL AM AN AO AR AS AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ CA CD CF
    CG CH CI CK CL CM CN CO CR CU CV CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG
    GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU IC ID IE IL IN IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP
    KR KV KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY
    MZ NA NC NE NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PR PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH
    SI SK SL SM SN SO SR SS ST SV SY SZ TC TD TG TH TJ TL TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU
    WS XB XC XE XM XN XS XY YE YT ZA ZM ZW EH IM BL MF SX
    """
)

CURRENCIES = _words(
    """
    EUR AED USD XCD AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT XOF BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
    CAD CDF XAF CHF NZD CLP CNY COP CRC CUC CVE CZK DJF DKK DOP DZD EGP ERN ETB FJD GBP GEL GHS GMD GNF GTQ GYD
    HKD HNL HRK HTG HUF IDR ILS INR IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LKR LRD LSL LYD
    MAD MDL MGA MKD MMK MNT MOP MRO MUR MVR MWK MXN MYR MZN NAD XPF NGN NIO NOK NPR OMR PEN PGK PHP PKR PLN PYG
    QAR RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLL SOS SRD SSP STD SYP SZL THB TJS TND TOP TRY TTD TWD TZS UAH
    UYU UZS VEF VND VUV WST YER ZAR
    """
)

ISO_COUNTRIES = _words(
    """
    AQ AX BQ BV CC CW CX GS HM IO NF PM PN PS SJ TF TK TM UM WF
    """
)

ISO_CURRENCIES = _words(
    """
    AFN ALL BOV CHE CHW CLF COU CUP FKP GIP IQD LBP MRU MXV PAB RON SLE STN SVC TMT UGX USN UYI UYW VED VES XAD
    XAG XAU XBA XBB XBC XBD XCG XDR XPD XPT XSU XTS XUA XXX ZMW ZWG
    """
)

WEIGHT_UNITS = ("KG", "LB", "OZ", "G")

# What people write, in upper case, and what they mean. Only what is beyond doubt stands here.
COUNTRY_SLIPS = {
    "UK": "GB", "EL": "GR", "USA": "US", "GBR": "GB", "DEU": "DE", "GER": "DE", "FRA": "FR", "ITA": "IT", "ESP": "ES",
    "NLD": "NL", "BEL": "BE", "CHE": "CH", "AUT": "AT", "POL": "PL", "SWE": "SE", "NOR": "NO", "DNK": "DK", "FIN": "FI",
    "IRL": "IE", "PRT": "PT", "CAN": "CA", "MEX": "MX", "AUS": "AU", "JPN": "JP", "CHN": "CN", "IND": "IN", "BRA": "BR",
    "UNITED KINGDOM": "GB", "GREAT BRITAIN": "GB", "ENGLAND": "GB", "UNITED STATES": "US", "GERMANY": "DE",
    "DEUTSCHLAND": "DE", "FRANCE": "FR", "ITALY": "IT", "SPAIN": "ES", "NETHERLANDS": "NL", "CANADA": "CA",
}  # fmt: skip
CURRENCY_SLIPS = {
    "€": "EUR", "£": "GBP", "¥": "JPY", "EURO": "EUR", "EUROS": "EUR", "US$": "USD", "DOLLAR": "USD", "DOLLARS": "USD",
    "C$": "CAD", "A$": "AUD", "RMB": "CNY", "STG": "GBP",
}  # fmt: skip
UNIT_SLIPS = {
    "KGS": "KG", "KILO": "KG", "KILOS": "KG", "KILOGRAM": "KG", "KILOGRAMS": "KG", "KILOGRAMME": "KG",
    "LBS": "LB", "POUND": "LB", "POUNDS": "LB", "OUNCE": "OZ", "OUNCES": "OZ", "OZS": "OZ",
    "GR": "G", "GM": "G", "GRAM": "G", "GRAMS": "G", "GRAMME": "G", "GRAMMES": "G",
}  # fmt: skip


def near_miss(text: str, codes: Iterable[str], slips: dict[str, str], iso: Iterable[str] = ()) -> str:
    """A sentence that helps whoever sent `text` where one of `codes` was due; '' when nothing is near."""
    upper = text.strip().upper()
    meant = slips.get(upper, upper)
    if meant in codes:
        return f'Did you mean "{meant}"?'
    if upper in iso:
        return f'"{upper}" is an ISO code that this contract does not list; ORDERMILL_CODES=extended accepts it.'
    return ""
