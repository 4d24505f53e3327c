"""What a contract is: a frozen pydantic model with a CloudEvents type, a topic and a kind.

The producer is strict (no unknown field, no coercion); the consumer is tolerant (unknown fields are
ignored), so that a subscriber keeps reading when a later version adds a field.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict

TYPE_PREFIX = "org.cumulo"

Kind = Literal["fact", "state"]
Model: TypeAlias = "type[Published]"


@dataclass(frozen=True, slots=True)
class Contract:
    """One published record type: its CloudEvents `type`, its topic (without prefix) and its model."""

    type: str
    kind: Kind
    service: str
    aggregate: str
    topic: str
    model: Model

    @property
    def name(self) -> str:
        """Short name of the schema and golden sample, e.g. `membership.MembershipActivated.v1`."""
        return self.type.removeprefix(f"{TYPE_PREFIX}.")

    @property
    def dataschema(self) -> str:
        """Absolute URI of the JSON Schema, as CloudEvents asks of `dataschema`."""
        return f"urn:cumulo:contract:{self.name}"


CONTRACTS: dict[str, Contract] = {}
_BY_MODEL: dict[Model, Contract] = {}


class Published(BaseModel):
    """Common root of facts and states; never used directly."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", ser_json_temporal="iso8601")

    SERVICE: ClassVar[str] = ""
    AGGREGATE: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1
    KIND: ClassVar[Kind]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not cls.SERVICE or cls.__name__.startswith("_"):
            return  # a root shared by the facts of one aggregate
        topic = f"{cls.SERVICE}.{cls.AGGREGATE}" + (".state" if cls.KIND == "state" else "")
        contract = Contract(
            type=f"{TYPE_PREFIX}.{cls.SERVICE}.{cls.__name__}.v{cls.VERSION}",
            kind=cls.KIND,
            service=cls.SERVICE,
            aggregate=cls.AGGREGATE,
            topic=topic,
            model=cls,
        )
        CONTRACTS[contract.type] = contract
        _BY_MODEL[cls] = contract

    @classmethod
    def read(cls, data: bytes | str) -> Self:
        """Parse as a subscriber does: unknown fields ignored, JSON types coerced. Raises `ValidationError`."""
        return cls.model_validate_json(data, strict=False, extra="ignore")


class Fact(Published):
    """Something that happened. Holds ids, codes, numbers and dates; never a name, an address or free text."""

    KIND: ClassVar[Kind] = "fact"


class State(Published):
    """How a thing is now: what others need of the current row. A record without a value erases it."""

    KIND: ClassVar[Kind] = "state"


def contract_of(model: Model) -> Contract:
    """The contract of a model. Raises `KeyError` when it is not in the catalogue."""
    return _BY_MODEL[model]


def find(type_: str) -> Contract | None:
    """The contract of a CloudEvents type, or None when this version does not know it."""
    return CONTRACTS.get(type_)
