"""The invented register of the demo: six hundred organisations, whom they belong to since when, what they can do.

Pure: the same seed and the same day give the same network, and every date moves with the day. Nobody in it exists:
a name is a process and a place, a tax number has the letters ZZ, a mail address ends in `.example`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from stdnum.mx.rfc import calc_check_digit

from services.membership.organizations.domain import slug_of
from shared.contracts.membership import Category, ChainPosition, OrganizationType, Size

SEED = 2019
MEMBERSHIPS = {
    "regiomontano-norte": 116, "bajio-guanajuatense": 98, "semidesierto": 81, "valle-de-lerma": 72, "altiplano": 63,
    "sierra-y-desierto": 55, "sureste-del-desierto": 47, "dos-volcanes": 41, "comarca-del-nazas": 26,
    "costa-y-agave": 24, "hidrocalido": 17,
}  # fmt: skip
"""Memberships in force today by cluster: 640."""
TWICE = 28
"""Organisations that belong to two clusters."""
LEFT = 46
"""Organisations that were members and left in the last two years."""
WITHOUT_MAIL = 12
ENDING_SOON = 19
"""Certificates that end within sixty days."""
NEW_IN = {"costa-y-agave": (9, 360)}
"""So many of a cluster's members joined in the last so many days: it had fifteen a year ago."""
NEVER_NEW = 0.82
"""Share of members who were there more than two years ago."""


class Kind(NamedTuple):
    """A kind of organisation in the chain. `words` begin its name, with the processes that they stand for."""

    type: OrganizationType
    position: ChainPosition | None
    category: Category
    number: int
    sizes: tuple[Size, ...]
    words: tuple[tuple[str, tuple[str, ...]], ...]


_T2 = (
    ("Inyectora", ("injection_moulding", "tooling")), ("Maquinados", ("machining", "grinding")),
    ("Estampados", ("stamping", "welding")), ("Troquelados", ("stamping", "tooling")),
    ("Fundición", ("casting_iron", "machining")), ("Aluminios", ("casting_aluminium", "die_casting")),
    ("Hules", ("rubber",)), ("Recubrimientos", ("plating", "painting")), ("Forjas", ("forging", "heat_treatment")),
    ("Resortes", ("springs", "wire_forming")), ("Engranes", ("gear_cutting", "heat_treatment")),
    ("Tubulares", ("tube_bending", "welding")),
)  # fmt: skip
KINDS = (
    Kind("company", "oem", "associate", 9, ("large",),
         (("Armadora", ("assembly", "painting", "stamping")), ("Ensambladora", ("assembly", "welding")))),
    Kind("company", "tier1", "associate", 148, ("large", "large", "medium"),
         (("Arneses", ("harnesses", "assembly")), ("Asientos", ("foam", "textiles", "assembly")),
          ("Sistemas de Freno", ("machining", "assembly")), ("Ejes y Flechas", ("forging", "machining")),
          ("Tableros", ("injection_moulding", "assembly")), ("Escapes", ("tube_bending", "welding")),
          ("Climatización", ("assembly", "extrusion_aluminium")), ("Faros", ("injection_moulding", "electronics")),
          ("Cristales", ("glass",)), ("Módulos Electrónicos", ("electronics", "software")),
          ("Baterías", ("batteries", "assembly")), ("Carrocerías", ("stamping", "welding", "painting")))),
    Kind("company", "tier2", "associate", 231, ("medium", "medium", "small", "large"), _T2),
    Kind("company", "tier3", "associate", 74, ("small", "micro", "small", "medium"),
         (("Tornillería", ("fastening",)), ("Rectificados", ("grinding",)), ("Herramentales", ("tooling", "fixtures")),
          ("Empaques", ("packaging",)), ("Pailería", ("sheet_metal", "welding")), ("Cortes Láser", ("laser_cutting",)),
          ("Tratamientos Térmicos", ("heat_treatment",)), ("Alambres", ("wire_forming",)))),
    Kind("company", "service", "affiliate", 86, ("small", "micro", "medium"),
         (("Logística", ("logistics", "packaging")), ("Automatización", ("automation",)),
          ("Mantenimiento", ("maintenance",)), ("Metrología", ("metrology",)), ("Consultores", ("consulting",)),
          ("Ingeniería", ("engineering",)), ("Capacitación", ("training",)), ("Programación", ("software",)))),
    Kind("university", None, "affiliate", 31, ("large", "medium"),
         (("Universidad Tecnológica", ("training", "engineering")), ("Universidad", ("training",)),
          ("Instituto Tecnológico", ("training", "metrology")))),
    Kind("research_centre", None, "honorary", 9, ("small", "medium"),
         (("Centro de Investigación", ("engineering", "metrology")),)),
    Kind("government", None, "honorary", 24, ("small",),
         (("Agencia de Desarrollo", ("consulting",)), ("Oficina de Fomento", ("consulting",)))),
)  # fmt: skip
_SHORT = {"Universidad Tecnológica": "UT", "Instituto Tecnológico": "IT", "Centro de Investigación": "CI",
          "Agencia de Desarrollo": "Agencia", "Oficina de Fomento": "Fomento"}  # fmt: skip
_PLACES = tuple(
    f"{noun} {adjective}"
    for nouns, adjectives in (
        (("Peña", "Loma", "Sierra", "Cañada", "Piedra", "Barranca", "Laguna", "Mesa", "Ladera", "Fuente", "Cantera",
          "Vereda", "Palma", "Noria"),
         ("Alta", "Verde", "Lisa", "Honda", "Blanca", "Dorada", "Seca", "Grande", "Clara", "Vieja", "Brava", "Larga",
          "Quieta", "Roja")),
        (("Cerro", "Llano", "Arroyo", "Monte", "Valle", "Puente", "Roble", "Mezquite", "Nopal", "Encino", "Sauce",
          "Portal", "Molino", "Ocotillo"),
         ("Alto", "Verde", "Liso", "Hondo", "Blanco", "Dorado", "Seco", "Grande", "Claro", "Viejo", "Bravo", "Largo",
          "Quieto", "Rojo")),
    )
    for noun in nouns
    for adjective in adjectives
)  # fmt: skip
CITIES: dict[str, tuple[str, ...]] = {
    "regiomontano-norte": ("Apodaca", "Santa Catarina", "Guadalupe", "General Escobedo", "San Nicolás de los Garza"),
    "bajio-guanajuatense": ("Silao", "Celaya", "Irapuato", "León", "Salamanca", "Apaseo el Grande"),
    "semidesierto": ("Querétaro", "El Marqués", "San Juan del Río", "Corregidora", "Colón"),
    "valle-de-lerma": ("Toluca", "Lerma", "Cuautitlán Izcalli", "Tianguistenco", "Tultitlán"),
    "altiplano": ("San Luis Potosí", "Villa de Reyes", "Soledad de Graciano Sánchez", "Matehuala"),
    "sierra-y-desierto": ("Ciudad Juárez", "Chihuahua", "Cuauhtémoc", "Delicias"),
    "sureste-del-desierto": ("Saltillo", "Ramos Arizpe", "Arteaga", "Derramadero"),
    "dos-volcanes": ("Puebla", "Cuautlancingo", "Huejotzingo", "San José Chiapa"),
    "comarca-del-nazas": ("Gómez Palacio", "Lerdo", "Durango"),
    "costa-y-agave": ("El Salto", "Zapopan", "Tlajomulco de Zúñiga", "Lagos de Moreno", "Ocotlán"),
    "hidrocalido": ("Aguascalientes", "Jesús María", "San Francisco de los Romo"),
}
_GIVEN = ("Adriana", "Andrés", "Beatriz", "Bruno", "Camila", "César", "Daniela", "Darío", "Elena", "Emiliano",
          "Fabiola", "Gerardo", "Graciela", "Héctor", "Irene", "Iván", "Julia", "Leonel", "Lorena", "Mateo", "Mónica",
          "Óscar", "Patricia", "Ramiro", "Rocío", "Saúl", "Silvia", "Tomás", "Úrsula", "Valeria", "Víctor")  # fmt: skip
_FAMILY = ("Acuña", "Barrera", "Cárdenas", "Dávila", "Escobedo", "Farías", "Garza", "Huerta", "Islas", "Juárez",
           "Lozano", "Maldonado", "Nájera", "Ochoa", "Palacios", "Quintero", "Rentería", "Saldaña", "Téllez", "Uribe",
           "Valdés", "Yáñez", "Zamora", "Cisneros", "Ibáñez", "Macías", "Orozco", "Peralta")  # fmt: skip
_SECTORS = ("light_vehicles", "heavy_trucks", "buses", "electric_vehicles", "aftermarket", "farm_machinery", "mining",
            "medical", "white_goods", "aerospace")  # fmt: skip
_FORMS = ("S.A. de C.V.", "S. de R.L. de C.V.", "S.A. de C.V.", "S.A.P.I. de C.V.")


class Belonging(NamedTuple):
    """A membership. `until` is its first day without it; `was` the category until `changed`."""

    cluster: str
    category: Category
    since: date
    until: date | None = None
    was: Category | None = None
    changed: date | None = None


@dataclass(frozen=True, slots=True)
class Invented:
    """An organisation of the demo. `ends_in` are its certificates: standard, and in how many days each ends."""

    legal_name: str
    trade_name: str
    type: OrganizationType
    positions: tuple[ChainPosition, ...]
    tax_number: str
    city: str
    belongs: tuple[Belonging, ...]
    contact: str | None
    mail: str | None
    size: Size
    processes: tuple[str, ...]
    sectors: tuple[str, ...]
    ends_in: tuple[tuple[str, int], ...]

    @property
    def home(self) -> str:
        """The cluster that it joined first."""
        return self.belongs[0].cluster


def network(
    today: date, *, founded: dict[str, date], taken: dict[str, int], kinds_taken: dict[str | None, int]
) -> list[Invented]:
    """The whole network but those that are there: `taken` by cluster, `kinds_taken` by position or type.

    Members in force first, then those who left. `founded` is when each cluster joined the network.
    """
    chance = Random(SEED)  # noqa: S311 - the same names for everybody, nothing secret
    return _Inventing(chance, today, founded).all(taken, kinds_taken)


class _Inventing:
    def __init__(self, chance: Random, today: date, founded: dict[str, date]) -> None:
        self.chance, self.today, self.founded = chance, today, founded
        self.names: set[str] = set()
        self.numbers: set[str] = set()

    def all(self, taken: dict[str, int], kinds_taken: dict[str | None, int]) -> list[Invented]:
        left = {slug: count - taken.get(slug, 0) for slug, count in MEMBERSHIPS.items()}
        kinds = [kind for kind in KINDS for _ in range(kind.number - kinds_taken.get(kind.position or kind.type, 0))]
        self.chance.shuffle(kinds)
        homes = self._homes(dict(left), len(kinds))
        found = [self._one(kind, home, number) for number, (kind, home) in enumerate(zip(kinds, homes, strict=True))]
        found = self._second_memberships(found, left)
        found = self._newcomers(found)
        return [*self._soon_ending(self._twins(found)), *self._leavers()]

    def _homes(self, left: dict[str, int], count: int) -> list[str]:
        """A first cluster for each; who belongs to two takes the second place of another cluster."""
        places = [slug for slug, open_ in left.items() for _ in range(open_)]
        self.chance.shuffle(places)
        small = {"costa-y-agave", "hidrocalido", "comarca-del-nazas"}
        seconds = [n for n, slug in enumerate(places) if slug not in small][: len(places) - count]
        return [slug for n, slug in enumerate(places) if n not in set(seconds)]

    def _one(self, kind: Kind, home: str, number: int) -> Invented:
        word, processes = kind.words[number % len(kind.words)]
        place = self._place(word)
        joint = " de " if kind.type in ("university", "research_centre", "government") else " "
        trade = f"{_SHORT.get(word, word)}{joint}{place}"
        legal = f"{word}{joint}{place}" + (f", {self.chance.choice(_FORMS)}" if kind.type == "company" else "")
        positions: tuple[ChainPosition, ...] = (kind.position,) if kind.position else ()
        if kind.position == "tier2" and self.chance.random() < 0.12:
            positions = ("tier2", "tier3")
        contact = f"{self.chance.choice(_GIVEN)} {self.chance.choice(_FAMILY)} {self.chance.choice(_FAMILY)}"
        since = self._since(home)
        changed = None
        if number % 70 == 9 and kind.category == "associate" and (self.today - since).days > 900:
            changed = self.today - timedelta(days=self.chance.randint(40, 700))
        belongs = Belonging(home, kind.category, since, None, "affiliate" if changed else None, changed)
        return Invented(
            legal, trade, kind.type, positions, self._tax_number(word), self.chance.choice(CITIES[home]), (belongs,),
            contact, None if number < WITHOUT_MAIL else self._mail(contact, trade), self.chance.choice(kind.sizes),
            processes, self._sectors(kind), self._certificates(kind),
        )  # fmt: skip

    def _place(self, word: str) -> str:
        while True:
            place = self.chance.choice(_PLACES)
            if (name := f"{word} {place}") not in self.names:
                self.names.add(name)
                return place

    def _tax_number(self, word: str) -> str:
        letter = slug_of(word)[0].upper()
        while True:
            born = date(1985, 1, 1) + timedelta(days=self.chance.randrange(14_000))
            stem = f"ZZ{letter}{born:%y%m%d}A1"
            number = stem + calc_check_digit(stem)
            if number not in self.numbers:
                self.numbers.add(number)
                return number

    def _mail(self, contact: str, trade: str) -> str:
        given, family, *_ = (slug_of(word) for word in contact.split())
        return f"{given}.{family}@{slug_of(trade).replace('-', '')}.example"

    def _since(self, home: str) -> date:
        begun = self.founded[home]
        recent = self.today - timedelta(days=730)
        if home in NEW_IN or self.chance.random() < NEVER_NEW:
            last = self.today - timedelta(days=NEW_IN.get(home, (0, 730))[1] + 10)
            return begun + timedelta(days=self.chance.randint(0, max((last - begun).days, 1)))
        return recent + timedelta(days=self.chance.randint(0, 726))

    def _sectors(self, kind: Kind) -> tuple[str, ...]:
        if kind.position is None:
            return ("light_vehicles",)
        more = self.chance.sample(_SECTORS[1:], k=self.chance.choice((0, 1, 1, 2)))
        return ("light_vehicles", *more)

    def _certificates(self, kind: Kind) -> tuple[tuple[str, int], ...]:
        if kind.position in (None, "service"):
            standards: Sequence[str] = ("iso_9001",) if self.chance.random() < 0.25 else ()
        elif kind.position in ("tier1", "oem"):
            standards = ("iatf_16949", "iso_14001") if self.chance.random() < 0.5 else ("iatf_16949",)
        else:
            standards = self.chance.choice((("iatf_16949",), ("iso_9001",), ("iso_9001",), ()))
        return tuple((one, self.chance.randint(70, 1050)) for one in standards)

    def _second_memberships(self, found: list[Invented], left: dict[str, int]) -> list[Invented]:
        """Fills what the first memberships left open with organisations that belong to another cluster already."""
        for one in found:
            left[one.home] -= 1
        seconds = [slug for slug, open_ in left.items() for _ in range(open_)]
        able = [n for n, one in enumerate(found) if one.positions and one.positions[0] in ("tier1", "tier2", "service")]
        self.chance.shuffle(able)
        for slug in seconds:
            n = next(n for n in able if found[n].home != slug)
            able.remove(n)
            one = found[n]
            since = max(one.belongs[0].since + timedelta(days=90), self.founded[slug])
            second = Belonging(slug, one.belongs[0].category, min(since, self.today - timedelta(days=30)))
            found[n] = replace(one, belongs=(*one.belongs, second))
        return found

    def _newcomers(self, found: list[Invented]) -> list[Invented]:
        for slug, (count, within) in NEW_IN.items():
            there = [n for n, one in enumerate(found) if one.home == slug and len(one.belongs) == 1]
            for k, n in enumerate(there[:count]):
                since = self.today - timedelta(days=15 + k * (within - 30) // count)
                found[n] = replace(found[n], belongs=(Belonging(slug, found[n].belongs[0].category, since),))
        return found

    def _twins(self, found: list[Invented]) -> list[Invented]:
        """Two more pairs that a register would hold of one company each: nearly the same name, another number."""
        pairs: list[int] = []
        for n, one in enumerate(found):
            if one.positions == ("tier2",) and len(one.belongs) == 1 and one.home not in NEW_IN:
                pairs.append(n)
            if len(pairs) == 4:
                break
        for kept, twin in ((pairs[0], pairs[1]), (pairs[2], pairs[3])):
            model = found[kept]
            first, *rest = model.trade_name.split()
            name = " ".join([first, "de", *rest])
            found[twin] = replace(found[twin], trade_name=name, legal_name=f"{name}, S.A. de C.V.",
                                processes=model.processes)  # fmt: skip
        return found

    def _soon_ending(self, found: list[Invented]) -> list[Invented]:
        holders = [n for n, one in enumerate(found) if one.ends_in]
        # two of them are in the hands of the demo's own companies
        for k, n in enumerate(holders[: ENDING_SOON - 2]):
            first, *rest = found[n].ends_in
            found[n] = replace(found[n], ends_in=((first[0], 4 + 3 * k), *rest))
        return found

    def _leavers(self) -> Iterator[Invented]:
        slugs = [slug for slug in MEMBERSHIPS if slug not in NEW_IN]
        kinds = [kind for kind in KINDS if kind.position in ("tier2", "tier3", "service")]
        for number in range(LEFT):
            one = self._one(kinds[number % len(kinds)], slugs[number % len(slugs)], number + WITHOUT_MAIL)
            held = one.belongs[0]
            until = self.today - timedelta(days=self.chance.randint(20, 720))
            since = min(held.since, until - timedelta(days=200))
            yield replace(one, belongs=(Belonging(held.cluster, held.category, max(since, self.founded[held.cluster]),
                                                until),), ends_in=())  # fmt: skip
