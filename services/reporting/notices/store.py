"""The tables of messages in the read model; written through the functions of the register's store."""

from services.reporting.register.store import PeriodTable, facts_table

MESSAGE_FACTS = facts_table(
    "message_fact", "message_id", ("organization_id", "uuid"), ("cluster_id", "uuid"), ("subject", "text")
)
MESSAGES = PeriodTable(
    "message_period", "message_id",
    (("organization_id", "uuid"), ("cluster_id", "uuid"), ("subject", "text"), ("day", "date"),
     ("answered", "boolean")),
)  # fmt: skip

FACT_TABLES = (MESSAGE_FACTS,)
PERIOD_TABLES = (MESSAGES,)
