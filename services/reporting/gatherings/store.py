"""The tables of gatherings in the read model; written through the functions of the register's store."""

from services.reporting.register.store import PeriodTable, facts_table

GATHERING_FACTS = facts_table("gathering_fact", "gathering_id", ("data", "jsonb"))
REGISTRATION_FACTS = facts_table(
    "registration_fact", "registration_id", ("gathering_id", "uuid"), ("organization_id", "uuid"),
    ("price_group", "text"),
)  # fmt: skip
GATHERINGS = PeriodTable(
    "gathering_period", "gathering_id",
    (("cluster_id", "uuid"), ("kind", "text"), ("mode", "text"), ("state", "text"), ("status", "text"),
     ("day", "date")),
)  # fmt: skip
REGISTRATIONS = PeriodTable(
    "registration_period", "registration_id",
    (("gathering_id", "uuid"), ("organization_id", "uuid"), ("price_group", "text"), ("status", "text"),
     ("attended", "boolean")),
)  # fmt: skip

FACT_TABLES = (GATHERING_FACTS, REGISTRATION_FACTS)
PERIOD_TABLES = (GATHERINGS, REGISTRATIONS)
