"""`cumulo contracts generate | check | release` over files: what is stale, altered or breaking is told with exit 1.

Each test has a folder of its own with contracts of its own, so that planted changes touch nothing real.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import create_model
from typer.testing import CliRunner

import shared.contracts.cli as cli
from shared.contracts import CONTRACTS
from shared.contracts.base import Contract
from shared.contracts.base import Published as Model
from shared.contracts.publish import Published, ReleasedFileAltered

NAMES = ("membership.MembershipActivated.v1", "membership.ClusterState.v1")
REAL = Path(cli.__file__).parent


def contract(name: str, **changes: Any) -> Contract:
    """A contract as it stands, or with fields changed as a developer might change them."""
    real = CONTRACTS[f"org.cumulo.{name}"]
    if not changes:
        return real
    # a root without a service registers nothing
    fields = {field: (info.annotation, info) for field, info in real.model.model_fields.items()}
    model = create_model(f"_{real.model.__name__}", __base__=Model, **{**fields, **changes})
    return dataclasses.replace(real, model=model)


@pytest.fixture
def place(tmp_path: Path) -> Published:
    """Two contracts with samples, generated and released."""
    (tmp_path / "samples").mkdir()
    for name in NAMES:
        (tmp_path / f"samples/{name}.json").write_text((REAL / f"samples/{name}.json").read_text("utf-8"), "utf-8")
    published = Published(tuple(contract(name) for name in NAMES), tmp_path)
    published.generate()
    published.release()
    assert published.problems() == []
    return published


def changed(place: Published, **changes: Any) -> Published:
    """The same files after the first contract's model was changed and generated anew."""
    after = dataclasses.replace(place, contracts=(contract(NAMES[0], **changes), place.contracts[1]))
    after.generate()
    return after


def test_generating_twice_changes_nothing(place: Published) -> None:
    assert place.generate() == []


@pytest.mark.parametrize("file", [f"schemas/{NAMES[0]}.json", "asyncapi.json"])
def test_a_file_edited_by_hand_is_stale_until_it_is_generated(place: Published, file: str) -> None:
    path = place.folder / file
    path.write_text(path.read_text("utf-8").replace("associate", "partner", 1), "utf-8")
    assert len(place.problems()) == 1
    assert f"{file} is stale; run `cumulo contracts generate`" in place.problems()[0]
    assert place.generate() == [path]
    assert place.problems() == []


def test_a_schema_without_a_contract_is_told_and_removed(place: Published) -> None:
    left_over = place.folder / "schemas/membership.Forgotten.v1.json"
    left_over.write_text("{}", "utf-8")
    assert "has no contract any more" in place.problems()[0]
    place.generate()
    assert not left_over.exists()


def test_a_breaking_change_fails_the_check_although_everything_was_generated(place: Published) -> None:
    after = changed(place, announce=(int, 1))
    assert any("announce: the type was" in line and NAMES[0] in line for line in after.problems())
    with pytest.raises(ValueError, match="announce: the type was"):
        after.release()


def test_a_new_optional_field_passes_and_becomes_a_second_release_that_binds_as_well(place: Published) -> None:
    after = changed(place, fee=(int | None, None))
    assert after.problems() == []
    assert [path.name for path in after.release()] == [f"{NAMES[0]}.r2.json"]
    assert after.release() == []
    assert after.problems() == []
    assert any("fee: the field is gone" in line and ".r2.json" in line for line in changed(after).problems())
    assert any("fee: " in line for line in changed(after, fee=(str | None, None)).problems())


def test_a_better_sentence_is_no_new_release(place: Published) -> None:
    schema = place.released / f"{NAMES[0]}.json"
    before = schema.read_text("utf-8")
    model = contract(NAMES[0], announce=(bool, True)).model
    model.__doc__ = "Said better."
    after = dataclasses.replace(
        place, contracts=(dataclasses.replace(place.contracts[0], model=model), place.contracts[1])
    )
    assert after.release() == []
    assert schema.read_text("utf-8") == before


def test_a_released_file_that_was_altered_or_removed_is_told_and_never_overwritten(place: Published) -> None:
    schema = place.released / f"{NAMES[0]}.json"
    schema.write_text(schema.read_text("utf-8").replace("announce", "announced"), "utf-8")
    assert any("was altered; restore it" in line for line in place.problems())
    with pytest.raises(ReleasedFileAltered, match="was altered"):
        place.release()
    assert "announced" in schema.read_text("utf-8")
    schema.unlink()
    assert any("is gone; what was released stays" in line for line in place.problems())
    with pytest.raises(ReleasedFileAltered, match="is gone"):
        place.release()


def test_a_released_file_slipped_in_by_hand_is_told(place: Published) -> None:
    (place.released / "membership.Slipped.v1.json").write_text("{}", "utf-8")
    assert any("was not made by `cumulo contracts release`" in line for line in place.problems())


def test_a_released_type_without_a_model_is_told(place: Published) -> None:
    after = dataclasses.replace(place, contracts=place.contracts[1:])
    after.generate()
    assert any(f"{NAMES[0]} was released and has no model any more" in line for line in after.problems())


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda event: event["data"].pop("category"), "no longer parses: category: Field required"),
        (lambda event: event["data"].update(category="partner"), "no longer parses: category"),
        (lambda event: event["data"].update(note="x"), "no longer parses: note"),
        (lambda event: event.pop("subject"), "the attribute subject is missing"),
        (lambda event: event.update(type="org.cumulo.other.v1"), "type is 'org.cumulo.other.v1'"),
        (lambda event: event.update(dataschema="urn:x"), "dataschema is 'urn:x'"),
    ],
)
def test_a_golden_sample_that_no_longer_parses_is_told(place: Published, edit: Any, reason: str) -> None:
    path = place.folder / f"samples/{NAMES[0]}.json"
    event = json.loads(path.read_text("utf-8"))
    edit(event)
    path.write_text(json.dumps(event), "utf-8")
    assert any(reason in line for line in place.unreadable()), place.unreadable()


def test_a_missing_sample_and_one_without_a_contract_are_told(place: Published) -> None:
    (place.folder / f"samples/{NAMES[0]}.json").rename(place.folder / "samples/membership.Gone.v1.json")
    assert [line.split(";")[0].rsplit("/", 1)[1] for line in place.unreadable()] == [
        f"{NAMES[0]}.json is missing",
        "membership.Gone.v1.json has no contract",
    ]


def test_a_contract_whose_topic_is_not_listed_is_refused(place: Published, tmp_path: Path) -> None:
    topics = tmp_path / "topics.yaml"
    topics.write_text("topics:\n  - {name: membership.membership, kind: fact, partitions: 1}\n", "utf-8")
    with pytest.raises(ValueError, match=r"ClusterState.*not in deploy/topics\.yaml"):
        dataclasses.replace(place, topics=topics).generate()


def test_the_command_ends_with_1_and_a_clear_line_for_each_problem(
    place: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer()
    cli.register(app)
    app.command("other")(lambda: None)
    monkeypatch.setattr(cli, "_published", lambda: place)
    assert CliRunner().invoke(app, ["contracts", "check"]).exit_code == 0
    broken = changed(place, announce=(int, 1))
    (broken.folder / "asyncapi.json").unlink()
    monkeypatch.setattr(cli, "_published", lambda: broken)
    answer = CliRunner().invoke(app, ["contracts", "check", "--json"])
    assert answer.exit_code == 1
    assert len(json.loads(answer.stdout)) >= 2
    text = CliRunner().invoke(app, ["contracts", "check"])
    assert text.exit_code == 1
    assert "asyncapi.json is missing; run `cumulo contracts generate`" in text.output
    released = CliRunner().invoke(app, ["contracts", "release"])
    assert released.exit_code == 1
    assert "announce" in released.output
