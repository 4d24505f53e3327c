"""What the tests stand on: one PostgreSQL and one Kafka for a whole run, a database for each worker.

Nothing here is imported by the product. Fixtures are in tests/conftest.py.
"""
