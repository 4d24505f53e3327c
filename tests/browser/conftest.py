"""One stack and one Chromium for the tests of the browser; each test has visitors of its own."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.house import House, Visitor, browser_running, chromium, house, visiting
from tests.stack.program import finished
from tests.stack.run import required

VisitorFor = Callable[..., Any]


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """`cumulo up --demo` with a register imported, so that lists, messages and tasks hold something."""
    if chromium() is None:
        if "chromium" in required():
            pytest.fail("there is no Chromium")
        pytest.skip("there is no Chromium; on Debian: apt-get install chromium")
    with house(tmp_path_factory.mktemp("browser")) as found:
        code, _, errors = finished(
            "import", "members", "examples/members.csv", "--cluster", "costa-y-agave", "--data", str(found.data)
        )
        assert code == 0, errors
        yield found


@pytest.fixture(scope="package")
async def browser(stack: House) -> AsyncIterator[Browser]:
    """Chromium."""
    async with browser_running() as found:
        yield found


@pytest.fixture
async def visitor(stack: House, browser: Browser) -> AsyncIterator[VisitorFor]:
    """`await visitor("Mariana Ibarra", size=PHONE, dark=False)`: somebody who came in; without a name: nobody yet."""
    async with AsyncExitStack() as exits:

        async def make(name: str | None = None, **how: Any) -> Visitor:
            manager: AbstractAsyncContextManager[Visitor] = visiting(browser, stack, **how)
            made = await exits.enter_async_context(manager)
            if name:
                await made.come_in_as(name)
            return made

        yield make
