"""What people do, in a real browser: come in, search, be refused, meet in a record, mend a message."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.house import PHONE, House
from tests.browser.places import EMILIO, ERNESTO, LUCIA, MARIANA, REBECA

pytestmark = pytest.mark.xdist_group("browser")
VisitorFor = Callable[..., Any]
REFUSED = "Failed to load resource: the server responded with a status of "


async def test_somebody_signs_in_by_the_link_of_a_mail_once_and_out_again(visitor: VisitorFor, stack: House) -> None:
    lucia = await visitor()
    await lucia.open("/")
    await lucia.page.get_by_label("Correo").fill("lucia.montes@trescerros.example")
    await lucia.page.keyboard.press("Enter")
    await lucia.page.wait_for_selector("text=lucia.montes@trescerros.example")
    link = stack.link_mailed_to("lucia.montes@trescerros.example")
    path = link.removeprefix(f"{urlsplit(link).scheme}://{urlsplit(link).netloc}")
    await lucia.open(path)
    await lucia.page.get_by_role("button", name="Entrar").click()
    await lucia.page.wait_for_selector("text=Hola, Lucía")
    await lucia.page.locator(".menu.person > summary").click()
    await lucia.page.get_by_role("button", name="Salir").click()
    await lucia.page.wait_for_selector(".person-card")

    again = await visitor()
    await again.open(path)
    again.watch.allowed = (REFUSED,)
    if await again.page.get_by_role("button", name="Entrar").count():
        await again.page.get_by_role("button", name="Entrar").click()
    await again.page.wait_for_selector("text=Este enlace no abre nada")
    await again.open("/sign-in?token=wrong")
    if await again.page.get_by_role("button", name="Entrar").count():
        await again.page.get_by_role("button", name="Entrar").click()
    await again.page.wait_for_selector("text=Este enlace no abre nada")


async def test_the_language_is_switched_and_kept(visitor: VisitorFor) -> None:
    mariana = await visitor(MARIANA)
    assert await mariana.page.locator("h1").inner_text() == "Hola, Mariana"
    await mariana.page.get_by_role("button", name="EN", exact=True).click()
    await mariana.page.wait_for_selector("text=Hello, Mariana")
    await mariana.open("/register")
    assert await mariana.page.locator("html").get_attribute("lang") == "en"
    assert await mariana.page.locator("h1").inner_text() == "Register"
    await mariana.page.get_by_role("button", name="ES", exact=True).click()
    await mariana.page.wait_for_selector("h1:has-text('Padrón')")


async def test_with_the_keyboard_alone_an_organisation_is_found_and_opened(visitor: VisitorFor) -> None:
    mariana = await visitor(MARIANA)
    page = mariana.page
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    await page.keyboard.press("Control+k")
    await page.keyboard.type("inyectora tres")
    await page.wait_for_selector("#found a:has-text('Inyectora Tres Cerros')")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("h1:has-text('Inyectora Tres Cerros')")
    await mariana.settled()


async def test_the_assistant_is_told_why_not_and_who_may(visitor: VisitorFor, stack: House) -> None:
    emilio = await visitor(EMILIO)
    emilio.watch.allowed = (REFUSED,)
    await emilio.open("/tokens")
    text = await emilio.page.locator("main").inner_text()
    assert "Tu rol no lo permite" in text or "no con tu rol" in text.lower()
    assert "coordinación de la red" in text.lower()
    company = stack.organization("Inyectora Tres Cerros")
    await emilio.open(f"/organizations/{company['slug']}?tab=memberships")
    assert await emilio.page.get_by_role("button", name="Dar de baja").count() == 0


async def test_two_who_change_the_same_record_see_both_values_and_nothing_is_lost(
    visitor: VisitorFor, stack: House
) -> None:
    company = stack.organization("Troquelados Peña Alta")
    edit = f"/organizations/{company['slug']}/edit"
    mariana, rebeca = await visitor(MARIANA), await visitor(REBECA)
    for one in (mariana, rebeca):
        await one.open(edit)
    await mariana.page.get_by_label("Ciudad").fill("Apodaca")
    await mariana.page.get_by_role("button", name="Guardar").click()
    await mariana.page.wait_for_selector(".toast:has-text('Guardado')")
    rebeca.watch.allowed = (REFUSED,)
    await rebeca.page.get_by_label("Ciudad").fill("Escobedo")
    await rebeca.page.get_by_role("button", name="Guardar").click()
    await rebeca.page.wait_for_selector(".conflict:has-text('Mariana Ibarra Quiroz cambió este registro')")
    row = rebeca.page.locator(".conflict tr.differs", has_text="Ciudad")
    assert [text.strip() for text in await row.locator("td").all_inner_texts()] == ["Apodaca", "Escobedo"]
    await rebeca.page.get_by_role("button", name="Guardar lo mío").click()
    await rebeca.page.wait_for_selector(".toast:has-text('Guardado')")
    await rebeca.open(f"/organizations/{company['slug']}?tab=history")
    history = await rebeca.page.locator(".history").inner_text()
    assert "Ciudad" in history and "Apodaca → Escobedo" in history


async def test_what_is_typed_wrong_is_said_at_its_field_and_what_was_typed_stays(
    visitor: VisitorFor, stack: House
) -> None:
    company = stack.organization("Maquinados Ocotillo")
    mariana = await visitor(MARIANA)
    mariana.watch.allowed = (REFUSED,)
    await mariana.open(f"/organizations/{company['slug']}/edit")
    await mariana.page.get_by_label("Razón social").fill(" ")
    await mariana.page.get_by_label("Ciudad").fill("Saltillo")
    await mariana.page.get_by_role("button", name="Guardar").click()
    await mariana.page.wait_for_selector("#error-legal_name")
    assert await mariana.page.get_by_label("Ciudad").input_value() == "Saltillo"
    assert stack.organization("Maquinados Ocotillo")["version"] == company["version"]


async def test_a_fact_is_seen_on_its_way_and_a_poison_message_is_mended(visitor: VisitorFor, stack: House) -> None:
    ernesto = await visitor(ERNESTO)
    await ernesto.open("/operations")
    company = stack.organization("Arneses del Nazas")
    mariana = await visitor(MARIANA)
    await mariana.open(f"/organizations/{company['slug']}/edit")
    await mariana.page.get_by_label("Razón social").fill("Arneses y Conexiones del Nazas, S.A. de C.V.")
    await mariana.page.get_by_role("button", name="Guardar").click()
    await mariana.page.wait_for_selector(".toast:has-text('Guardado')")
    fact = ernesto.page.locator("[data-lane] tbody tr", has_text="OrganizationProfileChanged").first
    await fact.wait_for()

    key = await stack.poison(name="Clúster de la Sierra", slug="sierra")
    row = ernesto.page.locator("#parked tr", has_text="network_id")
    for _ in range(60):
        await ernesto.open("/operations")
        if await row.count() == 3:
            break
        await ernesto.page.wait_for_timeout(200)
    assert await row.count() == 3, "events, notifications and reporting listen to it"
    for number in range(3):
        await row.first.get_by_role("link").first.click()
        await ernesto.page.wait_for_selector("text=network_id")
        if number == 0:
            whole = {"cluster_id": key, "network_id": key, "slug": "sierra", "name": "Clúster de la Sierra",
                     "country": "MX", "state": "CHH", "zone": "America/Chihuahua", "language": "es",
                     "in_network_since": None, "in_network_until": None}  # fmt: skip
            await ernesto.page.get_by_label("Valor, en JSON").fill(json.dumps(whole))
            await ernesto.page.get_by_label("Por qué se cambia").fill("faltaba la red")
            await ernesto.page.get_by_role("button", name="Corregir y reintentar").click()
            await ernesto.page.wait_for_selector(".toast:has-text('1 mensaje aplicado')")
        else:
            await ernesto.page.get_by_label("Por qué se descarta").fill("era una prueba")
            await ernesto.page.get_by_role("button", name="Descartar").click()
            await ernesto.page.wait_for_selector("h1:has-text('Operación')")
        await ernesto.settled()
    assert await row.count() == 0


async def test_a_supplier_finds_who_presses_steel_in_the_own_state(visitor: VisitorFor) -> None:
    lucia = await visitor(LUCIA)
    page = lucia.page
    await page.get_by_role("link", name="Directorio").first.click()
    await page.get_by_label("Buscar en esta lista").fill("prensado")
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".chip.removable:has-text('prensado')")
    names = await page.locator("tbody th a").all_inner_texts()
    assert "Troquelados Peña Alta" in names
    assert "Inyectora Tres Cerros" not in names
    await page.get_by_role("link", name="Cerca de mí: Nuevo León").click()
    await page.wait_for_selector(".chip.removable:has-text('Nuevo León')")
    assert await page.locator("tbody th a").all_inner_texts() == ["Troquelados Peña Alta"]
    await page.get_by_role("link", name="Troquelados Peña Alta").click()
    await page.wait_for_selector("h1:has-text('Troquelados Peña Alta')")
    assert "troquelado y estampado" in await page.locator("main").inner_text()


async def test_a_supplier_writes_to_a_company_and_its_representatives_get_the_mail(
    visitor: VisitorFor, stack: House
) -> None:
    lucia = await visitor(LUCIA)
    lucia.watch.allowed = (REFUSED,)
    await lucia.open("/organizations/troquelados-pena-alta")
    await lucia.page.get_by_role("link", name="Escribirle").click()
    await lucia.page.get_by_label("Qué necesitas").fill("hola")
    await lucia.page.get_by_role("button", name="Enviar").click()
    await lucia.page.wait_for_selector("#error-message")
    await lucia.page.get_by_label("Qué necesitas").fill("Buscamos troquelado de soportes en acero, 40,000 al mes.")
    await lucia.page.get_by_role("button", name="Enviar").click()
    await lucia.page.wait_for_selector(".toast:has-text('La respuesta llega a tu correo')")
    assert "despacho.example" not in await lucia.page.content()
    mail = await asyncio.to_thread(stack.mailed_to, "sofia.arrieta@despacho.example", "40,000 al mes")
    assert "Reply-To: lucia.montes@trescerros.example" in mail


async def test_an_application_is_completed_and_approved(visitor: VisitorFor, tmp_path: Path) -> None:
    rebeca = await visitor(REBECA)
    rebeca.watch.allowed = (REFUSED,)
    page = rebeca.page
    await rebeca.open("/organizations/estampados-valle-alto?tab=memberships")
    await page.get_by_label("Acuerdo del consejo").fill("CD-2026-14")
    await page.get_by_role("button", name="Aprobar").click()
    await page.wait_for_selector(".banner.bad:has-text('Carta de solicitud')")
    await page.get_by_role("link", name="Documentos y quién avala").click()
    letter = tmp_path / "carta.pdf"
    letter.write_bytes(b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
    await page.set_input_files("#file-letter", letter)
    await page.locator("form:has(#file-letter) button").click()
    await page.wait_for_selector(".banner.good:has-text('Completo')")
    await rebeca.open("/organizations/estampados-valle-alto?tab=memberships")
    await page.get_by_label("Acuerdo del consejo").fill("CD-2026-14")
    await page.get_by_role("button", name="Aprobar").click()
    await page.get_by_role("button", name="Poner en vigor").click()
    await page.wait_for_selector("main:has-text('vigente')")


async def test_a_director_imports_a_sheet_mends_what_was_refused_and_undoes_it(
    visitor: VisitorFor, tmp_path: Path
) -> None:
    rebeca = await visitor(REBECA)
    page = rebeca.page
    sheet = tmp_path / "padrón.csv"
    sheet.write_text(
        "Compañero;RFC;Pueblo\nMoldes del Ocaso;;Apodaca\nForjas del Alba;XAXX010101000;Apodaca\n", "utf-8"
    )
    await rebeca.open("/import")
    await page.set_input_files("#field-file", sheet)
    await page.get_by_role("button", name="Subir").click()
    await page.get_by_label("Compañero", exact=True).select_option("legal_name")
    await page.get_by_label("Pueblo", exact=True).select_option("city")
    await page.get_by_role("button", name="Revisar").click()
    await page.wait_for_selector("nav.tabs:has-text('Rechazadas')")
    await page.get_by_role("link", name="Rechazadas").click()
    await page.wait_for_selector("td:has-text('genérico')")
    await page.get_by_role("button", name="Aplicar", exact=True).click()
    await page.wait_for_selector(".banner.good:has-text('1 nuevas')")
    await page.get_by_role("link", name="Rechazadas").click()
    await page.locator("details.menu", has_text="Rechazadas").locator("summary").click()
    async with page.expect_download() as begun:
        await page.locator("details.menu[open] a", has_text="CSV").click()
    refused = await (await begun.value).path()
    mended = tmp_path / "rechazadas.csv"
    mended.write_text(refused.read_text("utf-8-sig").replace("XAXX010101000", ""), "utf-8")
    first = page.url.split("?")[0]
    await rebeca.open("/import")
    await page.set_input_files("#field-file", mended)
    await page.get_by_role("button", name="Subir").click()
    assert await page.get_by_label("Compañero", exact=True).input_value() == "legal_name", "it was remembered"
    await page.get_by_role("button", name="Revisar").click()
    await page.get_by_role("button", name="Aplicar", exact=True).click()
    await page.wait_for_selector(".banner.good:has-text('1 nuevas')")
    for address in (page.url, first):
        await page.goto(address)
        await page.get_by_role("button", name="Deshacer la importación").click()
        await page.wait_for_selector(".banner:has-text('Deshecha')")
    await rebeca.open("/register?q=del+Alba")
    assert await page.locator("tbody th a").count() == 0


async def test_a_coordinator_merges_two_entries_of_one_company(visitor: VisitorFor) -> None:
    mariana = await visitor(MARIANA)
    mariana.watch.allowed = (REFUSED,)
    page = mariana.page
    await mariana.open("/register/duplicates")
    pair = page.locator("tr", has_text="Arneses de Nazas").filter(has_text="Arneses del Nazas")
    await pair.get_by_role("link", name="Comparar").click()
    await page.get_by_role("button", name="Unirlas").click()
    await page.wait_for_selector("#error-note")
    await page.get_by_label("Por qué son la misma").fill("mismo domicilio y mismo teléfono")
    await page.get_by_role("button", name="Unirlas").click()
    await page.wait_for_selector(".toast:has-text('Ahora son una')")
    await mariana.open("/organizations/arneses-de-nazas?tab=memberships")
    text = await page.locator("main").inner_text()
    assert "Clúster Comarca del Nazas" in text and "Clúster Sierra y Desierto" in text


async def test_a_company_says_what_it_does_and_is_found_by_it(visitor: VisitorFor) -> None:
    lucia, mariana = await visitor(LUCIA), await visitor(MARIANA)
    await lucia.open("/organizations/inyectora-tres-cerros/capabilities/edit")
    await lucia.page.get_by_label("termoformado").check()
    await lucia.page.get_by_label("Quién ve: Tamaño").select_option("own")
    await lucia.page.get_by_role("button", name="Guardar").click()
    await lucia.page.wait_for_selector("main:has-text('termoformado')")
    await mariana.open("/directory?process=thermoforming")
    assert await mariana.page.locator("tbody th a").all_inner_texts() == ["Inyectora Tres Cerros"]


async def test_lists_come_as_files_with_the_same_rows(visitor: VisitorFor) -> None:
    mariana = await visitor(MARIANA)
    for page in ("/register?type=university", "/messages", "/access", "/indicators", "/indicators/members/facts"):
        await mariana.open(page)
        menu = mariana.page.locator("details.menu", has_text="Exportar").first
        await menu.locator("summary").click()
        async with mariana.page.expect_download() as begun:
            await menu.get_by_role("link", name="CSV").click()
        file = await (await begun.value).path()
        lines = file.read_text("utf-8-sig").splitlines()
        assert len(lines) > 1, page
        assert (await begun.value).suggested_filename.endswith(".csv")


async def test_on_a_phone_the_bar_below_leads_on_and_nothing_is_wider_than_the_screen(visitor: VisitorFor) -> None:
    lucia = await visitor(LUCIA, size=PHONE)
    assert await lucia.page.locator("nav.bottom").is_visible()
    assert not await lucia.page.locator("nav.side").is_visible()
    await lucia.page.locator("nav.bottom a", has_text="Indicadores").tap()
    await lucia.page.wait_for_selector("h1:has-text('Indicadores')")
    await lucia.settled()


async def test_a_part_that_does_not_answer_says_so_and_the_rest_goes_on(visitor: VisitorFor) -> None:
    ernesto = await visitor(ERNESTO)
    ernesto.watch.allowed = (REFUSED, "Response Status Error Code 503")
    await ernesto.page.route("**/events/pages/health", lambda route: route.fulfill(status=503, body=""))
    await ernesto.open("/operations")
    await ernesto.page.wait_for_selector(".banner:has-text('Eventos no responde; lo demás sigue')")
    assert await ernesto.page.locator(".healths .chip:has-text('bien')").count() == 3
    await ernesto.page.unroute("**/events/pages/health")
    await ernesto.page.get_by_role("button", name="Reintentar").first.click()
    await ernesto.page.wait_for_function("() => document.querySelectorAll('.healths .chip').length === 4")
