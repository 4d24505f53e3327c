import time, random, os
from datetime import date, timedelta
from services.reporting.consumers import CONSUMERS
from services.reporting.register import store
from shared.messaging.apply import Applier
from shared.messaging.events import Consumer
from tests.service.reporting.world import *
from tests.service.reporting.world import World


async def nothing(unit, events):
    pass


T = {}


def timed(mod, name):
    f = getattr(mod, name)

    async def g(*a, **k):
        t = time.perf_counter()
        c = time.process_time()
        try:
            return await f(*a, **k)
        finally:
            x = T.setdefault(name, [0, 0])
            x[0] += time.perf_counter() - t
            x[1] += time.process_time() - c

    setattr(mod, name, g)


async def test_perf(database, own):
    for n in ("locked_generations", "known_facts", "add_membership_facts", "replace_periods"):
        if hasattr(store, n):
            timed(store, n)
    w = World()
    ch = random.Random(1)
    cl = [w.cluster(f"C{n}") for n in range(11)]
    orgs = [uuid_utils.uuid7() for _ in range(5000)]
    for _ in range(120000):
        w.member(ch.choice(orgs), ch.choice(cl), date(2020, 1, 1) + timedelta(days=ch.randrange(2000)))
    items = w.items[11:]

    def unit(_):
        return database.unit(actor="t", cause="t")

    def batch(n):
        return [items.pop() for _ in range(n)]

    import gc

    gc.collect()
    gc.freeze()
    async with own.connection() as c:
        for s in os.environ.get("CUMULO_TEST_SQL", "").split(";"):
            if s.strip():
                await c.execute(s)
    for rep in range(2):
        for name, ap in (
            ("nothing", Applier(Consumer("x", {m: nothing for m in CONSUMERS[0].handlers}))),
            ("real", Applier(CONSUMERS[0])),
        ):
            for size in (2000,):
                T.clear()
                b = [batch(size) for _ in range(20000 // size)]
                t = time.time()
                c = time.process_time()
                for x in b:
                    await ap.settle(unit, x)
                d = time.time() - t
                print(
                    name,
                    size,
                    f"{20000 / d:.0f}/s",
                    "client cpu",
                    f"{(time.process_time() - c) / d:.2f}",
                    {k: (f"{v[0] / 20000 * 1e6:.1f}us", f"{v[1] / 20000 * 1e6:.1f}us") for k, v in T.items()},
                )
