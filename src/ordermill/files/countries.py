"""Country names as they stand in exports -> ISO codes. Codes are left to the contracts, which have their own lists."""

from __future__ import annotations

_NAMES = """
AE United Arab Emirates|AR Argentina, Argentinien|AT Austria, Österreich, Oesterreich, Autriche
AU Australia, Australien|BE Belgium, Belgien, Belgique, België|BG Bulgaria, Bulgarien
BR Brazil, Brasilien, Brasil|CA Canada, Kanada|CH Switzerland, Schweiz, Suisse, Svizzera|CL Chile|CN China
CO Colombia, Kolumbien|CY Cyprus, Zypern|CZ Czechia, Czech Republic, Tschechien, Tschechische Republik
DE Germany, Deutschland, Allemagne|DK Denmark, Dänemark, Danmark|EE Estonia, Estland|EG Egypt, Ägypten
ES Spain, Spanien, Espagne, España|FI Finland, Finnland, Suomi|FR France, Frankreich
GB United Kingdom, Great Britain, England, Scotland, Wales, Grossbritannien, Großbritannien, Vereinigtes Königreich
GR Greece, Griechenland|HK Hong Kong|HR Croatia, Kroatien, Hrvatska|HU Hungary, Ungarn, Magyarország
ID Indonesia, Indonesien|IE Ireland, Irland|IL Israel|IN India, Indien|IS Iceland, Island
IT Italy, Italien, Italia, Italie|JP Japan|KR South Korea, Korea, Südkorea|LI Liechtenstein
LT Lithuania, Litauen|LU Luxembourg, Luxemburg|LV Latvia, Lettland|MA Morocco, Marokko|MC Monaco|MT Malta
MX Mexico, Mexiko, México|MY Malaysia|NL Netherlands, The Netherlands, Niederlande, Holland, Pays-Bas, Nederland
NO Norway, Norwegen, Norge|NZ New Zealand, Neuseeland|PE Peru|PH Philippines, Philippinen
PL Poland, Polen, Polska|PT Portugal|RO Romania, Rumänien, România|RS Serbia, Serbien
SA Saudi Arabia, Saudi-Arabien|SE Sweden, Schweden, Sverige|SG Singapore, Singapur|SI Slovenia, Slowenien
SK Slovakia, Slowakei|TH Thailand|TR Turkey, Türkiye, Türkei|TW Taiwan|UA Ukraine
US United States, United States of America, USA, U.S.A., Vereinigte Staaten, États-Unis|VN Vietnam
ZA South Africa, Südafrika
"""

CODE_OF = {
    name.strip().casefold(): entry[:2]
    for line in _NAMES.strip().splitlines()
    for entry in line.split("|")
    for name in entry[3:].split(",")
}


def code_of(text: str) -> str | None:
    """The code of a country that is written out; None for a name nobody knows here, and for what is a code already."""
    return CODE_OF.get(text.casefold())
