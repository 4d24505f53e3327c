"""Reporting put together: what it listens to, what it answers, what it does by itself. Wiring only."""

from services.reporting.alerts import api as alerts
from services.reporting.alerts import pages as alert_pages
from services.reporting.alerts.domain import PERSONAL as PERSONAL_OF_ALERTS
from services.reporting.consumers import CONSUMERS
from services.reporting.generations import jobs as generations
from services.reporting.home import pages as home
from services.reporting.indicators import api as indicators
from services.reporting.indicators import jobs as figures
from services.reporting.indicators import pages as indicator_pages
from services.reporting.policy import POLICY
from services.reporting.sharing import api as sharing
from services.reporting.sharing import pages as sharing_pages
from services.reporting.sharing.domain import PERSONAL
from services.reporting.stream import api as stream
from shared.http.identity import access_consumer
from shared.runtime.service import Definition

DEFINITION = Definition(
    name="reporting",
    routers=(
        indicators.router,
        stream.router,
        sharing.router,
        alerts.router,
        # fixed addresses before those that hold a code
        sharing_pages.router,
        alert_pages.router,
        indicator_pages.router,
        home.router,
    ),
    consumers=(access_consumer("reporting"), *CONSUMERS),
    policy=POLICY,
    personal=(*PERSONAL, *PERSONAL_OF_ALERTS),
    loops={"figures": figures.publish},
    jobs=(*figures.JOBS, *generations.JOBS),
)
