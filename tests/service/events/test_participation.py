"""What an organisation's people take part in: counted for itself, its clusters and the network, for nobody else."""

from uuid import UUID

from shared.contracts.membership import Role, RoleScope
from shared.postgres.pool import Database
from tests.conftest import ClientFor
from tests.service.events.office import Clock, published, register, town
from tests.stack.people import somebody


async def test_events_and_hours_of_training_are_counted_for_who_may_know_them(
    client_for: ClientFor, databases: dict[str, Database]
) -> None:
    place, clock = await town(databases["events"]), Clock()
    client = await client_for("events", clock=clock)
    course = await published(
        client, cluster_id=str(place.host), kind="course", title="Curso de PPAP",
        sessions=[{"title": "Uno", "starts": "2027-05-14T09:00:00-06:00", "ends": "2027-05-14T11:30:00-06:00"}],
    )  # fmt: skip
    fair = await published(client, cluster_id=str(place.host), capacity=1, title="Feria")
    seen = await register(client, course["id"], "ana", "eva", organization_id=str(place.neighbour))
    await register(client, fair["id"], "ana", "eva", organization_id=str(place.neighbour))
    await register(client, course["id"], "otro", organization_id=str(place.own))
    clock.pass_(days=66)
    scans = [{"registration_id": one["id"]} for one in seen]
    await client.post(f"/events/gatherings/{course['id']}/check-ins", json={"scans": scans})

    path = f"/events/organizations/{place.neighbour}/participation"
    told = (await client.get(path)).json()
    found = {one["title"]: (one["people"], one["waiting"], one["attended"], one["hours"]) for one in told["items"]}
    assert found == {"Curso de PPAP": (2, 0, 2, 5.0), "Feria": (1, 1, 0, 0.0)}
    assert told["years"] == [{"year": 2027, "gatherings": 1, "attended": 2, "hours": 5.0}]

    guest = await client_for("events", clock=clock, token=None)
    asking: list[tuple[Role, RoleScope, UUID, int]] = [
        ("representative", "organization", place.neighbour, 200), ("cluster_staff", "cluster", place.other, 200),
        ("cluster_staff", "cluster", place.host, 403), ("representative", "organization", place.own, 403),
    ]  # fmt: skip
    for role, scope, id_, status in asking:
        one = await somebody(databases["events"], role, scope, id_, now=clock.now)
        assert (await guest.get(path, headers=one.headers)).status_code == status, (role, id_)
        page = await guest.get(f"/events/pages/organizations/{place.neighbour}", headers=one.headers)
        assert (page.status_code, "Curso de PPAP" in page.text) == (status, status == 200)
        assert "ana@" not in page.text
