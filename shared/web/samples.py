"""Invented people and companies for the page of components; nothing of it is stored or real."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from shared.http.identity import Held, Viewer
from shared.web.drawing import Band, axis
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.tables import Choice, Column, Filter, Listing, Without

MARIANA = Viewer(
    actor="0199f2b4-0000-7000-8000-000000000001",
    kind="person",
    name="Mariana Ibarra Quiroz",
    language="es",
    held=(Held("coordinator", "network", None), Held("operator", "network", None)),
)
LUCIA = Viewer(
    actor="0199f2b4-0000-7000-8000-000000000002",
    kind="person",
    name="Lucía Montes Ferrer",
    language="es",
    held=(Held("representative", "organization", UUID("0199f2b4-0000-7000-8000-000000000003")),),
)
"""Somebody of a member company: sees the directory in place of the register."""

COLUMNS = (
    Column("name", mark("Organisation"), sort="name"),
    Column("position", mark("Position in the chain"), sort="position"),
    Column("clusters", mark("Clusters"), minor=True),
    Column("people", mark("People"), sort="people", numeric=True),
    Column("standing", mark("Standing")),
)
ROWS: tuple[dict[str, Any], ...] = (
    {"slug": "troquelados-pena-alta", "name": "Troquelados Peña Alta", "legal": "Troquelados Peña Alta, S.A. de C.V.",
     "position": "Tier 2", "clusters": "Regiomontano Norte", "people": 184, "standing": "good"},
    {"slug": "inyectora-tres-cerros", "name": "Inyectora Tres Cerros",
     "legal": "Inyectora Tres Cerros, S. de R.L. de C.V.",
     "position": "Tier 2", "clusters": "Costa y Agave", "people": 96, "standing": "applied"},
    {"slug": "arneses-del-nazas", "name": "Arneses del Nazas", "legal": "Arneses del Nazas, S.A. de C.V.",
     "position": "Tier 1", "clusters": "Comarca del Nazas · Sureste del Desierto", "people": 1240, "standing": "good"},
    {"slug": "maquinados-ocotillo", "name": "Maquinados Ocotillo",
     "legal": "Maquinados Ocotillo, S.A.P.I. de C.V.",
     "position": "Tier 3", "clusters": "Sierra y Desierto", "people": 41, "standing": "arrears"},
    {"slug": "fundicion-cantera-rosa", "name": "Fundición Cantera Rosa",
     "legal": "Fundición Cantera Rosa, S.A. de C.V.",
     "position": "Tier 1", "clusters": "Altiplano", "people": 520, "standing": "good"},
)  # fmt: skip
FILTERS = (
    Filter("cluster", mark("Cluster"), (Choice("regiomontano-norte", "Regiomontano Norte", 116),
                                        Choice("bajio-guanajuatense", "Bajío Guanajuatense", 98),
                                        Choice("costa-y-agave", "Costa y Agave", 24))),
    Filter("position", mark("Position in the chain"), (
        Choice("oem", "OEM", 9), Choice("tier_1", "Tier 1", 148), Choice("tier_2", "Tier 2", 231),
        Choice("tier_3", "Tier 3", 74))),
    Filter("certificate", mark("Certificate in force"), (
        Choice("iatf", "IATF 16949", 212), Choice("iso9001", "ISO 9001", 388))),
)  # fmt: skip
ERRORS = {
    mark("A tax number of 13 characters belongs to a natural person; a company has 12."): "tax",
    mark("This mail address has no part behind the @."): "mail",
}
DOUBT = mark("The check digit does not match; that happens with 1 to 2 of 100 real tax numbers.")
KCAT = "kcat -b 127.0.0.1:9092 -t membership.membership \\\n     -C -o beginning -f '%h\\n%s\\n'"


def _entry(when: datetime, who: str, words: str, reason: str = "") -> dict[str, Any]:
    return {"when": when, "who": who, "words": words, "reason": reason}


def samples(now: datetime, said: Language) -> dict[str, Any]:
    """What the template of the page shows."""
    today = now.date()
    return {
        "today": today,
        "march": date(today.year, 3, 31),
        "listing": Listing(COLUMNS, ROWS, FILTERS, next="fundicion", previous="arneses", total=612,
                           default_sort="name", search=True),
        "none": Listing(COLUMNS, (), (), total=0),
        "nobody": Listing(COLUMNS, (), FILTERS, total=0, without=(Without("certificate", "iatf", "IATF", 31),)),
        "changed": now - timedelta(minutes=2),
        "bands": axis(
            (("Regiomontano Norte", (Band(said(mark("affiliate")), date(2015, 4, 1), date(2018, 9, 30), "calm"),
                                     Band(said(mark("associate")), date(2018, 9, 30)))),
             ("Costa y Agave", (Band(said(mark("associate")), date(2020, 9, 14), date(2023, 1, 31)),
                                Band(said(mark("in arrears")), date(2024, 2, 1), date(2024, 8, 1), "warn"),
                                Band(said(mark("associate")), date(2024, 8, 1))))),
            today,
        ),
        "history": (
            _entry(now - timedelta(days=2, hours=3), "Rebeca Treviño Salas", said(mark("approved the application")),
                   "Cumple con los tres años de operación; la recomienda Arneses del Nazas"),
            _entry(now - timedelta(days=6), "Emilio Sosa Rangel", said(mark("prepared it for approval"))),
            _entry(now - timedelta(days=6, hours=2), "Lucía Montes Ferrer", said(mark("applied for membership"))),
        ),
        "amount": Decimal("1400"), "quarters": ["T1", "T2", "T3", "T4"],
        "clusters": [("regiomontano-norte", "Regiomontano Norte"), ("bajio-guanajuatense", "Bajío Guanajuatense"),
                     ("costa-y-agave", "Costa y Agave")],
        "kcat": KCAT,
        "form": Form(
            values={"name": "Troquelados Peña Alta", "tax": "ZZPA850101A17", "mail": "compras@", "kind": "tier_2",
                    "processes": ["stamping"]},
            errors={name: said(text) for text, name in ERRORS.items()},
            version=7,
        ),
        "doubtful": Form(values={"tax2": "ZZT850101A12"}, warnings={"tax2": said(DOUBT)}, version=7),
    }  # fmt: skip
