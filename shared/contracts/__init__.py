"""The published language of Cumulo: every fact and state that crosses a service's border.

Importing this package registers all contracts; `catalogue()` lists them. A service records only what
stands here, and a subscriber needs nothing else to read the topics.
"""

from shared.contracts import events, membership, notifications, reporting
from shared.contracts.base import CONTRACTS, Contract, Fact, State, contract_of, find

__all__ = ["CONTRACTS", "Contract", "Fact", "State", "contract_of", "events", "find", "membership", "notifications",
           "reporting"]  # fmt: skip
