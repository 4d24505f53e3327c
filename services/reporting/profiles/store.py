"""The tables of profiles in the read model; written through the functions of the register's store."""

from services.reporting.register.store import PeriodTable, facts_table

FACTS = facts_table("profile_fact", "organization_id", ("data", "jsonb"))
SECTORS = PeriodTable("sector_period", "organization_id", (("sector", "text"),))
CERTIFICATES = PeriodTable(
    "certificate_period", "organization_id", (("certificate_id", "uuid"), ("standard", "text"))
)  # fmt: skip

FACT_TABLES = (FACTS,)
PERIOD_TABLES = (SECTORS, CERTIFICATES)
