"""Rules of clusters: given, when, then."""

from datetime import date
from uuid import UUID

import pytest

from services.membership.clusters import domain
from services.membership.clusters.domain import (
    Cluster,
    ClusterAlreadyInNetwork,
    ClusterNotInNetwork,
    Stay,
    UnknownZone,
)
from services.membership.places import UnknownState, state_code
from shared.contracts.membership import ClusterFounded, ClusterJoinedNetwork, ClusterLeftNetwork

ID, NETWORK = UUID(int=1), UUID(int=2)


def founded(**more: str) -> Cluster:
    values = {
        "slug": "agave",
        "name": "Costa y Agave",
        "country": "MX",
        "state": "Jalisco",
        "zone": "America/Mexico_City",
    }
    cluster, facts = domain.found(ID, NETWORK, **(values | more), language="es", since=date(2020, 9, 1))
    assert [type(d.fact) for d in facts] == [ClusterFounded, ClusterJoinedNetwork]
    assert {d.effective for d in facts} == {date(2020, 9, 1)}
    return cluster


def test_a_founded_cluster_is_in_the_network_and_has_the_version_of_its_facts() -> None:
    cluster = founded()
    assert (cluster.state, cluster.version, cluster.stays) == ("JAL", 2, (Stay(date(2020, 9, 1)),))
    assert cluster.published().in_network_since == date(2020, 9, 1)


def test_a_cluster_leaves_and_joins_again() -> None:
    left, facts = domain.leave_network(founded(), date(2022, 1, 1))
    assert isinstance(facts[0].fact, ClusterLeftNetwork)
    again, _ = domain.join_network(left, date(2022, 1, 1))
    assert again.stays == (Stay(date(2020, 9, 1), date(2022, 1, 1)), Stay(date(2022, 1, 1)))
    assert again.version == 4


def test_a_cluster_is_never_twice_in_the_network() -> None:
    with pytest.raises(ClusterAlreadyInNetwork):
        domain.join_network(founded(), date(2030, 1, 1))
    left, _ = domain.leave_network(founded(), date(2022, 1, 1))
    with pytest.raises(ClusterAlreadyInNetwork):
        domain.join_network(left, date(2021, 12, 31))


def test_a_cluster_leaves_after_it_joined_and_once() -> None:
    with pytest.raises(ClusterNotInNetwork):
        domain.leave_network(founded(), date(2020, 9, 1))
    left, _ = domain.leave_network(founded(), date(2022, 1, 1))
    with pytest.raises(ClusterNotInNetwork):
        domain.leave_network(left, date(2023, 1, 1))


@pytest.mark.parametrize("zone", ["Mexico", "America/Guadalajara", "../etc/passwd", "US/Central", "", "America"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(UnknownZone):
        founded(zone=zone)


def test_a_state_that_is_none_is_refused() -> None:
    with pytest.raises(UnknownState, match="Jalisko"):
        founded(state="Jalisko")


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("Jalisco", "JAL"), ("Jal.", "JAL"), ("JAL", "JAL"), ("jalisco ", "JAL"), ("MX-JAL", "JAL"),
        ("Nuevo León", "NLE"), ("N.L.", "NLE"), ("NL", "NLE"), ("Edo. de Méx.", "MEX"), ("Estado de México", "MEX"),
        ("México", "MEX"), ("CDMX", "CMX"), ("Ciudad de México", "CMX"), ("Distrito Federal", "CMX"), ("D.F.", "CMX"),
        ("Querétaro", "QUE"), ("Qro.", "QUE"), ("San Luis Potosí", "SLP"), ("S.L.P.", "SLP"), ("Coah.", "COA"),
        ("Coahuila de Zaragoza", "COA"), ("B.C.", "BCN"), ("Baja California Sur", "BCS"), ("Q. Roo", "ROO"),
        ("Gto", "GUA"), ("Ags.", "AGU"), ("Pue", "PUE"), ("MICHOACAN DE OCAMPO", "MIC"),
    ],
)  # fmt: skip
def test_states_of_mexico_by_name_abbreviation_and_code(written: str, code: str) -> None:
    assert state_code("MX", written) == code


def test_states_elsewhere_by_code() -> None:
    assert state_code("US", "us-ca") == "CA"
    with pytest.raises(UnknownState):
        state_code("US", "California")
