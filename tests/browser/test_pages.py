"""Every page: no serious fault for who sees or hears differently, light on the wire, whole on a phone."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.web.navigation import PAGES
from tests.browser.house import PHONE, House
from tests.browser.places import Place, places

pytestmark = pytest.mark.xdist_group("browser")
VisitorFor = Callable[..., Any]
HEAVIEST = 300_000
REFUSED = "Failed to load resource: the server responded with a status of "
SAMPLES = (REFUSED, "Response Status Error Code 401", "Response Status Error Code 503")
"""What the samples of `/dev/components` say: one of them is a part that does not answer."""
WITHOUT_PAGES = {"static", "language", "search", "api"}
"""First parts of addresses that are no pages of their own."""


def _by_reader(found: list[Place]) -> dict[str | None, list[Place]]:
    readers: dict[str | None, list[Place]] = {}
    for place in found:
        readers.setdefault(place.who, []).append(place)
    return readers


async def _each(visitor: VisitorFor, stack: House, look: Any, **how: Any) -> None:
    """Opens every page with somebody who sees it, and collects what `look` finds wrong."""
    wrong: list[str] = []
    for who, some in _by_reader(places(stack)).items():
        reader = await visitor(who, **how)
        for place in some:
            reader.watch.allowed = (REFUSED,) if place.status >= 400 else SAMPLES if place.name == "components" else ()
            reader.watch.bytes = 0
            await reader.open(place.path)
            wrong += [f"{place.name}: {one}" for one in await look(reader, place)]
            wrong += [f"{place.name}: {one}" for one in reader.watch.wrong]
            reader.watch.wrong.clear()
    assert not wrong, "\n".join(wrong)


def test_every_address_that_people_see_is_among_the_places(stack: House) -> None:
    seen = {place.path.split("?")[0].split("/")[1] for place in places(stack)}
    assert set(PAGES) - seen - WITHOUT_PAGES - {"door"} == set()


async def test_no_page_has_a_serious_fault_asks_elsewhere_or_is_heavy(visitor: VisitorFor, stack: House) -> None:
    """On a desk, in Spanish. What comes over the wire is counted as at the first time, with nothing kept."""

    async def look(reader: Any, place: Place) -> list[str]:
        heavy = [f"{reader.watch.bytes:,} bytes come over the wire"] if reader.watch.bytes > HEAVIEST else []
        assert reader.watch.bytes > 5_000, f"{place.name}: nothing was counted"
        return heavy + await _in(reader, "es")

    await _each(visitor, stack, look, keeps=False)


async def test_on_a_phone_in_english_and_in_the_dark_no_page_has_a_fault_or_is_too_wide(
    visitor: VisitorFor, stack: House
) -> None:
    async def look(reader: Any, place: Place) -> list[str]:
        wide = await reader.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return await _in(reader, "en") + ([f"is {wide} px too wide"] if wide > 0 else [])

    await _each(visitor, stack, look, language="en", dark=True, size=PHONE)


async def _in(reader: Any, language: str) -> list[str]:
    found: list[str] = await reader.faults()
    shown = await reader.page.locator("html").get_attribute("lang")
    return found + ([] if shown == language else [f"is in {shown}"])
