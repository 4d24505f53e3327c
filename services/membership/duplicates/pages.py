"""Likely duplicates side by side, for who keeps the register."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from services.membership.duplicates import views
from services.membership.duplicates.views import Pair, Side, Why
from services.membership.places import state_name
from shared.http.exports import Ending, exported
from shared.http.policy import Allowed, May, Sees, Serving
from shared.http.routes import Route
from shared.web.language import Language, mark
from shared.web.shell import pages_of
from shared.web.tables import Column, Listing

router = APIRouter(include_in_schema=False, route_class=Route)
pages = pages_of(__name__)

Reader = Annotated[Allowed, May("duplicates.read")]
Merging = Annotated[Allowed, Sees("organizations.merge")]
MOST = 200
COLUMNS = (
    Column("one", mark("Organisation")), Column("other", mark("Likely the same")), Column("why", mark("Why")),
    Column("act", ""),
)  # fmt: skip


@router.get("/register/duplicates", response_class=HTMLResponse)
async def duplicates(request: Request, service: Serving, reader: Reader, merging: Merging) -> Response:
    speak = pages.language(request, reader.viewer)
    async with service.database.connection() as connection:
        found = await views.likely(connection, reader, MOST)
    rows = [{"one": _side(pair.one, pair.country), "other": _side(pair.other, pair.country), "why": _why(pair, speak),
             "act": f"/register/merge?one={pair.one.id}&other={pair.other.id}"}
            for pair in found]  # fmt: skip
    return pages.render(
        request,
        reader.viewer,
        "duplicates.html",
        merges=merging.everything or bool(merging.clusters),
        listing=Listing(COLUMNS, rows, total=len(rows)),
        most=MOST,
    )


@router.get("/register/duplicates.{ending}")
async def as_file(request: Request, service: Serving, reader: Reader, ending: Ending) -> StreamingResponse:
    """The same pairs as a file."""
    speak = pages.language(request, reader.viewer)

    async def lines() -> AsyncIterator[Sequence[Any]]:
        async with service.database.connection() as connection:
            found = await views.likely(connection, reader, MOST)
        for pair in found:
            yield (pair.one.legal_name, pair.one.tax_number, pair.other.legal_name, pair.other.tax_number,
                   _why(pair, speak))  # fmt: skip

    columns = [speak(words) for words in (mark("Organisation"), mark("Tax number"), mark("Likely the same"),
                                          mark("Tax number"), mark("Why"))]  # fmt: skip
    return await exported(ending, "duplicates", columns, lines())


def _side(side: Side, country: str) -> dict[str, Any]:
    place = ", ".join(part for part in (side.city, state_name(country, side.state)) if part)
    return {"slug": side.slug, "name": side.trade_name, "legal": side.legal_name, "place": place,
            "tax": side.tax_number}  # fmt: skip


def _why(pair: Pair, speak: Language) -> list[str]:
    words: dict[Why, str] = {
        "tax": speak(mark("the same tax number in two countries")),
        "name": speak(mark("names %(percent)s alike"), percent=speak.percent(pair.likeness)),
        "mail": speak(mark("the same mail domain")),
    }
    return [words[why] for why in pair.why]
