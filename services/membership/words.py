"""What the pages of this service call the values of its tables: messages of the catalogue and the tone of a chip.

Data only, so that a list, a page and its files say the same.
"""

from shared.contracts.membership import Category, ChainPosition, OrganizationType, Standing
from shared.web.language import mark

TYPES: dict[OrganizationType, str] = {
    "company": mark("company"), "university": mark("university"), "research_centre": mark("research centre"),
    "government": mark("government"), "association": mark("association"),
}  # fmt: skip
POSITIONS: dict[ChainPosition, str] = {
    "oem": mark("vehicle maker (OEM)"), "tier1": "Tier 1", "tier2": "Tier 2", "tier3": "Tier 3",
    "service": mark("service company"), "raw_material": mark("raw material"),
}  # fmt: skip
STANDINGS: dict[Standing, tuple[str, str]] = {
    "applied": (mark("application"), "warn"), "approved": (mark("approved"), "calm"),
    "active": (mark("in force"), "good"),
    "grace": (mark("grace period"), "warn"), "lapsed": (mark("lapsed"), "bad"), "resigned": (mark("left"), "plain"),
    "expelled": (mark("expelled"), "bad"), "refused": (mark("refused"), "plain"),
}  # fmt: skip
CATEGORIES: dict[Category, str] = {
    "associate": mark("associate"), "affiliate": mark("affiliate"), "honorary": mark("honorary member"),
}  # fmt: skip
FIELDS: dict[str, str] = {
    "legal_name": mark("Legal name"), "trade_name": mark("Trade name"), "type": mark("Type"),
    "country": mark("Country"), "state": mark("State"), "city": mark("City"), "tax_number": mark("Tax number"),
    "positions": mark("Positions in the chain"),
}  # fmt: skip
"""The fields of an organisation's profile, in the order in which they are shown."""
LOGGED: dict[str, str] = {**FIELDS, "standing": mark("Standing"), "merged": mark("Merged")}
"""What the change log calls the fields of an organisation and of its memberships."""
