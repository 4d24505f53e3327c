"""`uv run python -m tests.browser.screens`: a picture of every page in both languages, on a desk and on a phone.

Kept under docs/screens as <page>.<language>.<desktop|phone>.webp, with a page that shows them all.
"""

import asyncio
import io
import tempfile
from pathlib import Path

from PIL import Image

from tests.browser.house import DESKTOP, PHONE, House, Language, browser_running, house, visiting
from tests.browser.places import places
from tests.stack.program import finished
from tests.stack.run import ROOT

FOLDER = ROOT / "docs/screens"
TALLEST = 2400
HEAD = """# Screens

Made by `uv run python -m tests.browser.screens` from the demo: everybody and everything in them is invented.
"""
SIZES = {"desktop": DESKTOP, "phone": PHONE}
LANGUAGES: tuple[Language, ...] = ("es", "en")


def main() -> None:
    """Starts a demo of its own, takes the pictures, writes the page."""
    with tempfile.TemporaryDirectory(prefix="cumulo-screens-") as folder, house(Path(folder)) as found:
        code, _, errors = finished(
            "import", "members", "examples/members.csv", "--cluster", "costa-y-agave", "--data", str(found.data)
        )
        assert code == 0, errors
        names = asyncio.run(_taken(found))
    lines = [HEAD]
    for name in names:
        shown = " ".join(
            f'<img src="{name}.{language}.{size}.webp" alt="{name}, {language}, {size}" height="320">'
            for language in LANGUAGES for size in SIZES
        )  # fmt: skip
        lines += [f"## {name}", "", shown, ""]
    (FOLDER / "README.md").write_text("\n".join(lines), "utf-8")


async def _taken(found: House) -> list[str]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.webp"):
        old.unlink()
    await found.poison(name="Clúster de la Sierra")
    for _ in range(100):
        if found.ask("/events/operations/parked")["total"]:
            break
        await asyncio.sleep(0.1)
    every = places(found)
    async with browser_running() as browser:
        for language in LANGUAGES:
            for size, (width, height) in SIZES.items():
                for who in dict.fromkeys(place.who for place in every):
                    async with visiting(browser, found, language=language, size=(width, height)) as visitor:
                        visitor.watch.allowed = ("Failed to load resource", "Response Status Error Code")
                        if who:
                            await visitor.come_in_as(who)
                        for place in (one for one in every if one.who == who):
                            await visitor.open(place.path)
                            await visitor.page.wait_for_timeout(600)  # charts are drawn, the lane has asked once
                            tall = await visitor.page.evaluate("document.documentElement.scrollHeight")
                            picture = await visitor.page.screenshot(
                                full_page=True,
                                clip={"x": 0, "y": 0, "width": width, "height": min(max(tall, height), TALLEST)},
                            )
                            file = FOLDER / f"{place.name}.{language}.{size}.webp"
                            Image.open(io.BytesIO(picture)).save(file, "WEBP", quality=78, method=6)
    return [place.name for place in every]


if __name__ == "__main__":
    main()
