"""The shell around every page: a service's templates, in the reader's language, with the navigation of its roles.

    # services/membership/organizations/pages.py            templates beside it in templates/
    pages = pages_of(__name__)                               # words: services/membership/locale/pages.es.po
    router = APIRouter(include_in_schema=False)

    @router.get("/register", response_class=HTMLResponse)
    async def register(request: Request, reader: Annotated[Allowed, May("organizations.read")]) -> Response:
        listing = Listing(COLUMNS, rows, filters=FILTERS, next=cursor)
        return pages.render(request, reader.viewer, "register.html", listing=listing)

    {# templates/register.html #}
    {% extends "shell.html" %}
    {% from "components/table.html" import listing_page %}
    {% block title %}{{ _("Register") }}{% endblock %}
    {% block primary %}<a class="button primary" href="/register/new">{{ _("New organisation") }}</a>{% endblock %}
    {% block content %}
      {% call(row, column) listing_page(listing, _("Organisations"), _("Nobody here yet"), _("Why it is empty.")) %}
        {% if column.key == "name" %}<a href="/organizations/{{ row.id }}">{{ row.name }}</a>
        {% else %}{{ row[column.key] }}{% endif %}
      {% endcall %}
    {% endblock %}

* Blocks of `shell.html`: title, heading (the title unless given), lead, as_of (a `date_chip`), crumbs, primary (one
  button), exports (an `export_menu`), history (a `history_link`), tabs, content. `bare.html` has the same without the
  navigation (door, sign-in). `fragment` renders a template that extends nothing, for a part that htmx loads.
* In every template and macro, without passing anything: `_("…%(n)s…", n=1)`, `ngettext("%(num)s row", "%(num)s rows",
  n)`, `day(d)`, `moment(t)`, `zoned(t, zone)`, `ago(t)` (a `<time>` that stays current), `number(n, decimals)`,
  `percent(share, decimals)`, `money(amount, "MXN")`, `duration(seconds)`, `static(name)`, `address(key=value)` (this
  page's address with parameters changed, None takes one away, cursors go when anything else changes), `without(key,
  value)`, `chosen(key)` (the values in the address), `new_key()`; `page` (`Page`) and `viewer` in templates.
* Components: components/table.html (listing_page, table, export_menu, history_link, date_chip, crumbs), form.html,
  feedback.html (banner, empty, not_allowed, conflict, progress, live, lazy_fragment, dialog, toast), show.html (chip,
  tabs, person_card, stat, bar, history_list, bands, code_box, card), chart.html, topbar.html (scope_switch,
  suggestions: what the fragments of the top bar answer with), icons.html. `/dev/components` shows them all.
* A policy that forbids inline scripts, handlers and styles goes with every page: behaviour is `data-…` attributes
  that cumulo.js knows (see there), looks are classes, widths are SVG attributes and `<progress>`.
* After a POST: `return turn(f"/organizations/{id}", said=language("Saved"))` (303 and a toast), where `language =
  pages.language(request, viewer)`; what stands in `language("…")` or `mark("…")` gets into the catalogue.
* `uv run python -m shared.web.catalogues services/membership` prints what the Spanish catalogue lacks.
"""

from datetime import UTC, datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.http.identity import Viewer
from shared.runtime.service import Service
from shared.web import language as languages
from shared.web.language import Code, Language, catalogues_of
from shared.web.navigation import links
from shared.web.page import FUNCTIONS, PAGE, Page, Tone
from shared.web.tour import keep_tour, tour_of

SCOPE_COOKIE = "cumulo_scope"
THEME_COOKIE = "cumulo_theme"
SAID_COOKIE = "cumulo_said"
YEAR_SECONDS = 365 * 86_400
DEFAULT_ZONE = "America/Mexico_City"
TEMPLATES = Path(__file__).parent / "templates"

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Accept-Language, HX-Request",
}


class Pages:
    """The pages of one module: its own templates first, then its service's, then the shell's."""

    def __init__(self, package: str) -> None:
        self._templates, self._services = _folders(package)
        self._environments: dict[Code, Environment] = {}

    def language(self, request: Request, viewer: Viewer | None, otherwise: Code = languages.DEFAULT) -> Language:
        """The reader's language, for texts that are not in a template: `language("Saved")`, `language.day(d)`."""
        code = languages.chosen(
            viewer,
            cookie=request.cookies.get(languages.COOKIE) or getattr(request.state, "speaks", None),
            accepted=request.headers.get("accept-language"),
            otherwise=otherwise,
        )
        service = _service(request)
        zone = ZoneInfo(service.settings.network_zone if service else DEFAULT_ZONE)
        return Language(code, zone, catalogues_of(code, self._services))

    def render(
        self, request: Request, viewer: Viewer | None, template: str, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """A whole page. A `?scope=` in its address is remembered, a toast from before the redirect is shown once."""
        page = self._page(request, viewer)
        response = HTMLResponse(self._text(page, template, context), status, headers=HEADERS)
        if request.query_params.get("scope") and page.scope:
            keep(request, response, SCOPE_COOKIE, page.scope)
        if page.said:
            response.delete_cookie(SAID_COOKIE)
        keep_tour(request, response)
        return response

    def fragment(
        self, request: Request, viewer: Viewer | None, template: str, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """A part of a page, for htmx; opened by itself in a browser it is a page that holds it."""
        page = self._page(request, viewer)
        text = self._text(page, template, context)
        if request.headers.get("sec-fetch-dest") == "document":
            text = self._text(page, "part.html", {"part": Markup(text)})  # noqa: S704 - just rendered
        return HTMLResponse(text, status, headers=HEADERS)

    def text(self, request: Request, viewer: Viewer | None, template: str, **context: Any) -> str:
        """A template as text, for the data of a server-sent event."""
        return self._text(self._page(request, viewer), template, context)

    def _page(self, request: Request, viewer: Viewer | None) -> Page:
        theme = request.cookies.get(THEME_COOKIE)
        said = request.cookies.get(SAID_COOKIE)
        service = _service(request)
        return Page(
            request=request,
            viewer=viewer,
            language=self.language(request, viewer),
            now=service.clock() if service else datetime.now(UTC),
            theme=theme if theme in ("light", "dark") else None,
            scope=scope_of(request),
            said=_said(said),
            links=links(viewer, request.url.path),
            demo=bool(service and service.settings.demo),
            tour=tour_of(request, service),
        )

    def _text(self, page: Page, template: str, context: dict[str, Any]) -> str:
        token = PAGE.set(page)
        try:
            environment = self._environment(page.language.code)
            return environment.get_template(template).render(page=page, viewer=page.viewer, **context)
        finally:
            PAGE.reset(token)

    def _environment(self, code: Code) -> Environment:
        if (found := self._environments.get(code)) is not None:
            return found
        environment = Environment(
            loader=FileSystemLoader([*self._templates, TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
            auto_reload=False,
        )
        words = catalogues_of(code, self._services)
        environment.install_gettext_callables(words.gettext, words.ngettext, newstyle=True)  # type: ignore[attr-defined]
        environment.globals.update(FUNCTIONS)
        self._environments[code] = environment
        return environment


@lru_cache(maxsize=64)
def pages_of(module: str) -> Pages:
    """The pages of a module: `pages_of(__name__)` in its pages.py, or the name of its package."""
    return Pages(module.removesuffix(".pages"))


def _folders(package: str) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The template folders of a package and of the packages around it, and the folders that have catalogues."""
    found: list[Path] = []
    while package and package not in ("services", "shared", "shared.web"):
        spec = find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            found.append(Path(next(iter(spec.submodule_search_locations))))
        package = package.rpartition(".")[0]
    return tuple(folder / "templates" for folder in found), tuple(reversed(found))


def _said(cookie: str | None) -> tuple[Tone, str] | None:
    """What the page before had to say: its tone and its words."""
    tone, _, words = unquote(cookie or "").partition(" ")
    tones: tuple[Tone, ...] = ("good", "warn", "bad")
    return next(((one, words[:300]) for one in tones if one == tone and words), None)


def _service(request: Request) -> Service | None:
    app = request.scope.get("app")
    return getattr(app.state, "service", None) if app is not None else None


def scope_of(request: Request) -> str | None:
    """What the network/cluster switch says: "network" or a cluster's id; None: everything that the reader may see.

    It narrows what is shown and never widens it: the policy is asked as ever.
    """
    value = request.query_params.get("scope") or request.cookies.get(SCOPE_COOKIE)
    return value if value and len(value) <= 40 and all(c.isalnum() or c == "-" for c in value) else None


def keep(request: Request, response: Response, name: str, value: str) -> None:
    """Remembers a choice of the page in this browser for a year."""
    response.set_cookie(name, value, max_age=YEAR_SECONDS, samesite="lax", secure=request.url.scheme == "https")


def local_path(target: str | None, otherwise: str = "/") -> str:
    """A path on this site to go to; anything that could lead elsewhere becomes `otherwise`."""
    if not target or not target.startswith("/") or target[1:2] in ("/", "\\") or len(target) > 2000:
        return otherwise
    return otherwise if any(ord(c) < 33 or ord(c) == 127 for c in target) else target


def turn(target: str, *, said: str | None = None, tone: Tone = "good") -> RedirectResponse:
    """The answer to a form that was done: 303 to a page of ours, which then says this once, in this tone."""
    response = RedirectResponse(local_path(target), 303)
    if said:
        response.set_cookie(SAID_COOKIE, quote(f"{tone} {said[:300]}"), max_age=60, samesite="lax", httponly=True)
    return response
