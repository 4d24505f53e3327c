"""The whole product, small: an approval becomes mail, figure and fact; colleagues come, wait and are promoted; an event
is called off and everyone's calendar follows; last year is asked for and what it counts is opened.
"""

import asyncio
import email
import email.policy
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.browser.house import House
from tests.browser.places import EMILIO, LUCIA, MARIANA, REBECA

pytestmark = pytest.mark.xdist_group("browser")
VisitorFor = Callable[..., Any]


def gathering(stack: House, title: str, **more: Any) -> dict[str, Any]:
    """A published event two months ahead."""
    day = (datetime.now(UTC) + timedelta(days=60)).date()
    made = stack.tell("/events/gatherings", {
        "kind": "business_round", "title": title, "mode": "in_place", "place": "Sala B",
        "starts": f"{day}T09:00:00-06:00", "ends": f"{day}T17:00:00-06:00", **more,
    })  # fmt: skip
    found: dict[str, Any] = stack.tell(f"/events/gatherings/{made['id']}/publish", {})
    return found


def fetched(stack: House, path: str) -> str:
    with urllib.request.urlopen(stack.url + path, timeout=10) as answer:
        return str(answer.read().decode())


async def test_an_approval_becomes_a_mail_a_figure_and_a_fact_and_the_tour_ticks_itself(
    visitor: VisitorFor, stack: House
) -> None:
    mariana = await visitor(MARIANA)
    page = mariana.page
    done = page.locator(".tour li.done")
    await mariana.open("/organizations/inyectora-tres-cerros?tab=memberships")
    assert await done.count() == 0
    await page.locator("#field-cluster").select_option(label="Clúster Hidrocálido")
    await page.get_by_role("button", name="Presentarla").click()
    await page.get_by_role("button", name="Aprobar").click()
    await page.locator(".tour li.done", has_text="Aprueba una solicitud").wait_for()

    mail = await asyncio.to_thread(stack.mailed_to, "lucia.montes@trescerros.example", "aprobó el ingreso")
    assert "Tres Cerros" in mail
    await mariana.open("/messages")
    await page.locator("main a", has_text="Solicitud aprobada").first.click()
    await page.locator(".tour li.done", has_text="Abre el correo").wait_for()

    await mariana.open("/indicators")
    live = page.locator("[data-live]:not(.off)")
    await live.wait_for()
    figure = page.locator("[data-figure=members] .value").first
    before = await figure.inner_text()
    other = await visitor(MARIANA)
    await other.open("/organizations/inyectora-tres-cerros?tab=memberships")
    await other.page.get_by_role("button", name="Poner en vigor").first.click()
    await page.locator(".tour li.done", has_text="Mira moverse la cifra").wait_for(timeout=10_000)
    await page.wait_for_function(
        "before => document.querySelector('[data-figure=members] .value').innerText !== before", arg=before
    )

    feed = stack.ask("/membership/feed?after=0&limit=5000")
    facts = feed if isinstance(feed, list) else feed["events"]
    approved = [one for one in facts if str(one["type"]).endswith("MembershipApproved.v1")][-1]
    await mariana.open(f"/membership/pages/facts/{approved['sequence']}")
    await page.locator(".tour li.done", has_text="Lee el hecho en Kafka").wait_for()
    await mariana.open(f"/indicators?as_of={datetime.now(UTC).year}-03-31")
    await page.locator(".tour li.done", has_text="Pide el 31 de marzo").wait_for()
    assert await done.count() == 5


async def test_a_representative_registers_three_colleagues_of_whom_one_waits_and_is_promoted(
    visitor: VisitorFor, stack: House
) -> None:
    clusters = {one["slug"]: one["id"] for one in stack.ask("/membership/clusters")["items"]}
    prices = [{"group": "own", "amount": "500.00"}, {"group": "network", "amount": "850.00"},
              {"group": "public", "amount": "1400.00"}]  # fmt: skip
    one = gathering(stack, "Ronda de otro clúster", cluster_id=clusters["altiplano"], capacity=2, prices=prices)
    lucia = await visitor(LUCIA)
    page = lucia.page
    await lucia.open(f"/agenda/{one['slug']}")
    assert "público" in (await page.locator("main").inner_text()).lower()
    await page.locator("input[name=myself]").uncheck()
    await page.locator("textarea[name=people]").fill(
        "Ana Uno, ana.uno@trescerros.example\nBeto Dos, beto.dos@trescerros.example\n"
        "Caro Tres, caro.tres@trescerros.example"
    )
    await page.get_by_role("button", name="Inscribir").click()
    await page.wait_for_selector(".toast:has-text('1 en lista de espera')")
    waiting = page.locator(".entries li", has_text="Caro Tres")
    await waiting.get_by_text("en lista de espera").wait_for()
    await page.locator(".entries li", has_text="Ana Uno").get_by_role("button", name="No va a ir").click()
    await page.wait_for_selector(".toast")
    await page.locator(".entries li", has_text="Caro Tres").get_by_role("button", name="Aceptar el lugar").click()
    await page.locator(".entries li", has_text="Caro Tres").get_by_role("link", name="Boleto").wait_for()
    await asyncio.to_thread(stack.mailed_to, "caro.tres@trescerros.example", "Ronda de otro clúster")


async def test_a_director_calls_off_and_everyones_calendar_follows(visitor: VisitorFor, stack: House) -> None:
    clusters = {one["slug"]: one["id"] for one in stack.ask("/membership/clusters")["items"]}
    one = gathering(stack, "Taller que no será", cluster_id=clusters["regiomontano-norte"])
    people = [{"name": "Iris Prado", "mail": "iris.prado@visita.example"}]
    stack.tell(f"/events/gatherings/{one['id']}/registrations", {"people": people})
    await asyncio.to_thread(stack.mailed_to, "iris.prado@visita.example", "Taller que no será")
    assert "STATUS:CONFIRMED" in fetched(stack, f"/agenda/{one['slug']}.ics")
    rebeca = await visitor(REBECA)
    await rebeca.open(f"/agenda/{one['slug']}/move")
    await rebeca.page.locator("[name=why]").fill("El ponente no puede venir")
    await rebeca.page.locator("form:has([name=why]) button.primary, form:has([name=why]) button").first.click()
    await rebeca.page.wait_for_selector(".banner.bad")
    assert "STATUS:CANCELLED" in fetched(stack, f"/agenda/{one['slug']}.ics")
    for _ in range(150):
        mails = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
                 for file in stack.mail.glob("*.eml")]  # fmt: skip
        methods = {part.get_param("method") for mail in mails if "iris.prado" in str(mail["To"])
                   for part in mail.walk() if part.get_content_type() == "text/calendar"}  # fmt: skip
        if methods == {"REQUEST", "CANCEL"}:
            break
        await asyncio.sleep(0.1)
    assert methods == {"REQUEST", "CANCEL"}


async def test_last_year_is_asked_for_and_what_it_counts_is_opened(visitor: VisitorFor, stack: House) -> None:
    mariana = await visitor(MARIANA)
    page = mariana.page
    last = datetime.now(UTC).year - 1
    await mariana.open(f"/indicators?as_of={last}-12-31&compare={last - 1}-12-31")
    card = page.locator("section[aria-labelledby=h-members]")
    told = int((await card.locator(".value").first.inner_text()).replace(",", ""))
    assert told > 0
    await card.locator(".stat a").first.click()
    await page.wait_for_selector("h1:has-text('Lo que cuenta: Membresías')")
    listed = stack.ask(f"/reporting/indicators/members/counted?as_of={last}-12-31&limit=1000")["counted"]
    assert len(listed) == told
    first = page.locator("table.list tbody a").first
    name = await first.inner_text()
    await first.click()
    await page.wait_for_selector("h1")
    assert name in await page.locator("h1").inner_text()


async def test_the_assistant_prepares_an_announcement_and_the_coordinator_releases_it(
    visitor: VisitorFor, stack: House
) -> None:
    emilio = await visitor(EMILIO)
    page = emilio.page
    await emilio.open("/register?type=university")
    await page.get_by_role("link", name="Guardar como segmento").click()
    await page.get_by_label("Nombre del segmento").fill("Universidades de la red")
    await page.get_by_role("button", name="Guardar como segmento").click()
    await page.get_by_role("link", name="Escribirles: Universidades de la red").click()
    await page.locator("input[name=segment_id]:checked").wait_for()  # the choice comes from the register
    await page.get_by_label("Título en español").fill("Convocatoria: cátedra de manufactura")
    await page.get_by_label("Texto en español").fill("Proponen a dos docentes.\n\n- Antes del viernes")
    await page.get_by_role("button", name="Guardar como borrador").click()
    await page.locator("main", has_text="persona").first.wait_for()
    assert await page.get_by_role("button", name="Liberar").count() == 0
    await page.get_by_role("button", name="Dejarlo listo").click()
    await page.locator("main", has_text="Espera a que otra persona lo libere").wait_for()
    assert await page.get_by_role("button", name="Liberar").count() == 0

    mariana = await visitor(MARIANA)
    await mariana.open("/")
    waits = mariana.page.locator(".pending li", has_text="cátedra de manufactura")
    await waits.wait_for()
    assert "Emilio Sosa" in await waits.inner_text()
    await waits.get_by_role("link").click()
    await mariana.page.frame_locator("iframe").locator("li", has_text="Antes del viernes").wait_for()
    await mariana.page.get_by_role("button", name="Liberar").click()
    await mariana.page.locator("main", has_text="Enviados").wait_for()
    people = sum(stack.ask("/notifications/announcements?status=released")["items"][0]["states"].values())
    assert people >= 1
    mail = await asyncio.to_thread(stack.mailed_to, "", "Proponen a dos docentes")
    assert "Antes del viernes" in mail
    await (
        mariana.page.locator(".stat", has_text="Enviados").get_by_text(f"{people} / {people}").wait_for(timeout=10_000)
    )
