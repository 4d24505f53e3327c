"""The tab "what it does" and the form of its codes: processes, sectors, products, activities, size, who sees what."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from services.membership.decisions import ChangedMeanwhile
from services.membership.organizations import store as organizations
from services.membership.organizations import views as organization_views
from services.membership.organizations.domain import Organization
from services.membership.places import state_name
from services.membership.profiles import commands, domain, store, views
from services.membership.profiles.domain import LEVELS, PARTS, SIZES, Level, Profile, codes
from services.membership.profiles.pages.parts import (
    LEVEL_WORDS,
    PART_WORDS,
    SIZE_WORDS,
    Changing,
    MayChange,
    Private,
    Reader,
    SeesPeople,
    changed_by,
    found_by,
    pages,
    sent,
    told,
    version_in,
)
from shared.http.edge import unit_of
from shared.http.policy import Allowed, Serving
from shared.http.routes import Route
from shared.postgres.values import day_in
from shared.refusal import Refusal
from shared.runtime.service import Service
from shared.web.forms import Form
from shared.web.language import Language, mark
from shared.web.shell import turn

router = APIRouter(include_in_schema=False, route_class=Route)

SOON_DAYS = 60
"""A certificate that ends within so many days is shown as ending."""
_LINES = re.compile(r"[\r\n]+")


@router.get("/organizations/{slug}/capabilities", response_class=HTMLResponse)
async def capabilities(
    request: Request, service: Serving, reader: Reader, private: Private, changing: MayChange, people: SeesPeople,
    slug: str,
) -> Response:  # fmt: skip
    """What one organisation can do, as far as the reader may see it."""
    speak = pages.language(request, reader.viewer)
    today = day_in(service.settings.network_zone, service.clock())
    async with service.database.connection() as connection:
        one = await found_by(connection, reader, slug)
        profile = (await store.load(connection, [one.id]))[one.id]
        level = await views.level_of(connection, private, one.id)
        changes = bool(await organization_views.covered(connection, changing, [one.id]))
        speaks = bool(await organization_views.covered(connection, people, [one.id]))
        branches = await views.branches(connection, one.id)
        parent = await views.parent(connection, profile)
    seen = profile.seen(level)
    whole, missing = domain.completeness(profile, one.type, _known(one))
    return pages.render(
        request, reader.viewer, "capabilities.html", one=one, seen=seen, changes=changes, people=speaks,
        size=speak(SIZE_WORDS[seen.size]) if seen.size else None,
        processes=_called("processes", seen.processes, speak), sectors=_called("sectors", seen.sectors, speak),
        products=[(_dotted(code), words) for code, words in zip(seen.products,
                  _called("products", seen.products, speak), strict=True)],
        activities=[_activity(one_, speak) for one_ in seen.activities],
        certificates=[_certificate(one_, today, speak) for one_ in seen.certificates],
        sites=[{"id": s.id, "name": s.name, "address": ", ".join(
            part for part in (s.address, s.postcode, s.city, state_name(s.country, s.state)) if part), "zone": s.zone}
            for s in seen.sites],
        branches=branches, parent=parent, private=level != "network", whole=whole,
        missing=[speak(PART_WORDS[name]) for name in missing],
        levels={part: speak(LEVEL_WORDS[profile.level(part)]) for part in PARTS},
    )  # fmt: skip


def _known(one: Organization) -> dict[str, Any]:
    return {"state": one.state, "city": one.city, "tax_number": one.tax_number, "positions": one.open_positions}


def _called(kind: codes.Kind, wanted: tuple[str, ...], speak: Language) -> list[str]:
    return [codes.called(kind, code, speak.code) for code in wanted]


def _activity(activity: str, speak: Language) -> tuple[str, str]:
    scheme, code = domain.split_activity(activity)
    return f"{scheme.upper()} {code}", codes.called(scheme, code, speak.code)


def _dotted(code: str) -> str:
    return f"{code[:4]}.{code[4:]}" if len(code) > 4 else code


def _certificate(one: domain.Certificate, today: date, speak: Language) -> dict[str, Any]:
    left = views.days_left(one.until, today)
    return {
        "id": one.id, "standard": codes.called("standards", one.standard, speak.code), "body": one.body,
        "number": one.number, "scope": one.scope, "left": left,
        "tone": "bad" if left <= 0 else "warn" if left <= SOON_DAYS else "good",
    }  # fmt: skip


# --- the form ------------------------------------------------------------------------------------


@router.get("/organizations/{slug}/capabilities/edit", response_class=HTMLResponse)
async def edit(request: Request, service: Serving, caller: Changing, private: Private, slug: str) -> Response:
    one, profile = await changed_by(service, caller, slug)
    form = Form(await _values(service, profile), version=profile.version)
    return await _page(request, service, caller, private, one, form)


@router.post("/organizations/{slug}/capabilities/edit", response_class=HTMLResponse)
async def save(request: Request, service: Serving, caller: Changing, private: Private, slug: str) -> Response:
    speak = pages.language(request, caller.viewer)
    one, profile = await changed_by(service, caller, slug)
    values, several = await sent(request)
    typed = values | {name: several.get(name, []) for name in ("processes", "sectors")}
    level = await _level(service, private, one.id)
    asked, wrong = _asked(typed, profile, level, speak)
    if (values.get("parent") or "").strip():
        async with service.database.connection() as connection:
            parent = await organizations.by_slug_or_id(connection, values["parent"].strip().rpartition("/")[2])
        if parent is None:
            wrong["parent"] = speak(mark("Write the address of its page, such as arneses-del-nazas"))
        else:
            asked["parent_id"] = parent.id
    if wrong:
        form = Form(typed, wrong, version=version_in(values))
        return await _page(request, service, caller, private, one, form, 422)
    try:
        async with unit_of(request, caller.actor) as unit:
            if (parent_id := asked.get("parent_id")) is not None and parent_id != profile.parent_id:
                await organization_views.require_parent(unit.connection, caller, parent_id)
            await commands.describe_capabilities(unit, one.id, asked, note=_note(values), expected=version_in(values))
    except ChangedMeanwhile:
        return await _conflict(request, service, caller, one.id, typed, speak)
    except Refusal as refusal:
        field = {"parent_id": "parent"}.get(refusal.field or "", refusal.field or "")
        form = Form(typed, {field: told(speak, refusal)}, version=version_in(values))
        return await _page(request, service, caller, private, one, form, refusal.status)
    return turn(f"/organizations/{one.slug}/capabilities", said=speak(mark("Saved")))


def _note(values: Mapping[str, Any]) -> str | None:
    return " ".join(str(values.get("note", "")).replace("\x00", "").split())[:300] or None


def _asked(
    typed: Mapping[str, Any], profile: Profile, level: Level, speak: Language
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the form asks for, parts that the reader does not see left out; and what is wrong at which field."""
    shown = [part for part in PARTS if LEVELS.index(profile.level(part)) <= LEVELS.index(level)]
    asked: dict[str, Any] = {"parent_id": None}
    wrong: dict[str, str] = {}
    if "size" in shown:
        size = typed.get("size") or None
        if size is not None and size not in SIZES:
            wrong["size"] = speak(mark("Choose one of the list"))
        asked["size"] = size
    for name in ("processes", "sectors"):
        if name in shown:
            asked[name] = typed[name]
    if "products" in shown:
        lines = [line for line in _LINES.split(str(typed.get("products", ""))) if line.strip()]
        found = [(line, codes.product(line)) for line in lines]
        if bad := next((line for line, code in found if code is None), None):
            wrong["products"] = speak(
                mark("%(line)s does not begin with a code of four or six digits of the Harmonized System"),
                line=bad.strip()[:60],
            )
        asked["products"] = [code for _, code in found if code]
    if "activities" in shown:
        asked["activities"], bad = _activities(str(typed.get("activities", "")))
        if bad is not None:
            wrong["activities"] = speak(
                mark("%(line)s does not begin with a code of SCIAN, or with NAICS and one of its codes"), line=bad
            )
    if level == "own":
        asked["visibility"] = {part: str(typed.get(f"level-{part}", profile.level(part))) for part in PARTS}
    return asked, wrong


def _activities(text: str) -> tuple[list[str], str | None]:
    made: list[str] = []
    for line in (line.strip() for line in _LINES.split(text)):
        if not line:
            continue
        found = re.match(r"(?i)(?:(scian|naics)\W*)?([0-9]{2,6})\b", line)
        if found is None:
            return made, line[:60]
        scheme = (found[1] or "scian").lower()
        if found[2] not in codes.known("naics" if scheme == "naics" else "scian"):
            return made, line[:60]
        made.append(f"{scheme}:{found[2]}")
    return made, None


async def _level(service: Service, private: Allowed, id_: UUID) -> Level:
    async with service.database.connection() as connection:
        return await views.level_of(connection, private, id_)


async def _values(service: Service, profile: Profile) -> dict[str, Any]:
    async with service.database.connection() as connection:
        parent = await views.parent(connection, profile)
    return {
        "size": profile.size or "", "processes": list(profile.processes), "sectors": list(profile.sectors),
        "products": "\n".join(f"{_dotted(code)} {codes.called('products', code, 'en')}" for code in profile.products),
        "activities": "\n".join(_written(one) for one in profile.activities),
        "parent": parent["slug"] if parent else "",
        **{f"level-{part}": profile.level(part) for part in PARTS},
    }  # fmt: skip


def _written(activity: str) -> str:
    scheme, code = domain.split_activity(activity)
    return f"{scheme.upper()} {code} {codes.called(scheme, code, 'es')}"


async def _page(
    request: Request, service: Service, caller: Allowed, private: Allowed, one: Organization, form: Form,
    status: int = 200,
) -> Response:  # fmt: skip
    speak = pages.language(request, caller.viewer)
    level = await _level(service, private, one.id)
    async with service.database.connection() as connection:
        profile = (await store.load(connection, [one.id]))[one.id]
    return pages.render(
        request, caller.viewer, "capabilities_edit.html", status, one=one, form=form,
        shown=[part for part in PARTS if LEVELS.index(profile.level(part)) <= LEVELS.index(level)],
        sizes=[(size, speak(SIZE_WORDS[size])) for size in SIZES],
        processes=_options("processes", speak), sectors=_options("sectors", speak),
        levels=[(part, speak(PART_WORDS[part])) for part in PARTS] if level == "own" else [],
        level_words=[(code, speak(words)) for code, words in LEVEL_WORDS.items()],
    )  # fmt: skip


def _options(kind: codes.Kind, speak: Language) -> list[tuple[str, str]]:
    return sorted(((code, codes.called(kind, code, speak.code)) for code in codes.known(kind)), key=lambda o: o[1])


async def _conflict(
    request: Request, service: Service, caller: Allowed, id_: UUID, typed: Mapping[str, Any], speak: Language
) -> Response:
    """Both values side by side; "mine anyway" sends the same again, made from the version that is there now."""
    async with service.database.connection() as connection:
        [one] = await organizations.load(connection, [id_])
        profile = (await store.load(connection, [id_]))[id_]
    theirs = await _values(service, profile)
    names = ("size", "processes", "sectors", "products", "activities", "parent")
    fields = [(speak(PART_WORDS["parent_id" if name == "parent" else name]), _said(name, theirs, speak),
               _said(name, typed, speak)) for name in names]  # fmt: skip
    again = [(name, value) for name in (*names, "note", *(f"level-{part}" for part in PARTS))
             for value in _each(typed.get(name))]  # fmt: skip
    return pages.render(
        request, caller.viewer, "capabilities_conflict.html", 409, one=one, who=speak(mark("Somebody")),
        when=service.clock(), fields=fields, again=again, form=Form(version=profile.version),
    )  # fmt: skip


def _each(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value] if value else []


def _said(name: str, values: Mapping[str, Any], speak: Language) -> str:
    value = values.get(name) or ""
    if name == "processes":
        return ", ".join(codes.called("processes", code, speak.code) for code in value)
    if name == "sectors":
        return ", ".join(codes.called("sectors", code, speak.code) for code in value)
    if name == "size":
        return speak(SIZE_WORDS[value]) if value in SIZE_WORDS else str(value)
    return str(value)
