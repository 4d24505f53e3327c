"""kill -9 at any moment and an orderly stop: nothing acknowledged is lost, no effect comes twice."""

import pytest

from tests.failure.world import World, hot_keys


@pytest.mark.parametrize("rounds", [1, pytest.param(6, marks=pytest.mark.slow)])
async def test_each_process_is_killed_in_turn_under_load_and_comes_back(world: World, rounds: int) -> None:
    hot = hot_keys(6)
    names = {"membership-1": "membership", "membership-2": "membership", "writer": "writer",
             "reporting-1": "reporting", "reporting-2": "reporting"}  # fmt: skip
    for seed, (name, role) in enumerate(names.items(), 1):
        writers = {"writers": 2, "hot": hot, "seed": seed} if role != "reporting" else {}
        world.start(role, name, **writers)  # type: ignore[arg-type]
    await world.holds("SELECT count(*) > 100 FROM reporting.failure_effect")
    for _ in range(rounds):
        for name in names:
            before = await world.value("SELECT count(*) FROM membership.history")
            await world.children[name].killed()
            world.again(world.children[name])
            await world.holds("SELECT count(*) > $1 FROM membership.history", before + 30)
    for name in names:
        if "reporting" not in name:
            assert await world.children[name].stopped() == 0
    world.start("membership", "membership-1")
    await world.is_sound()
