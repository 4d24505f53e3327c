"""The checkers of the browser's tests see what they are to see: faults are planted in a page, one at a time."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("browser")
VisitorFor = Callable[..., Any]

PLANTED = {
    "document.body.append(Object.assign(new Image(), {src: 'https://elsewhere.example/x.png'}))": "Security Policy",
    "document.body.setAttribute('style', 'color: red')": "Security Policy",
    "setTimeout(() => { throw new Error('planted') })": "planted",
    "fetch('/nowhere')": "status of 404",
}
"""What is done to a page, and what is said of it: from elsewhere, against the policy, a fault, an answer of 404."""


async def test_the_watch_sees_what_a_page_must_not_do(visitor: VisitorFor) -> None:
    somebody = await visitor("Lucía")
    await somebody.open("/account")
    wrong: list[str] = somebody.watch.wrong
    for planted, said in PLANTED.items():
        wrong.clear()
        await somebody.page.evaluate(f"() => {{ {planted} }}")
        for _ in range(300):
            if wrong:
                break
            await somebody.page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
        assert any(said in one for one in wrong), (planted, wrong)
    wrong.clear()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_sees_a_field_without_a_name_and_text_that_is_hardly_there(visitor: VisitorFor, dark: bool) -> None:
    somebody = await visitor("Lucía", dark=dark)
    await somebody.open("/account")
    assert await somebody.faults() == []
    await somebody.page.evaluate(
        """() => { const field = document.createElement('input'), text = document.createElement('p');
            text.textContent = 'hardly there'; text.style.color = 'var(--line)';
            document.querySelector('main').append(field, text); }"""
    )
    assert {one.partition(" ")[0] for one in await somebody.faults()} == {"color-contrast", "label"}
