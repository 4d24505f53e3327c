import cProfile, io, pstats, time, os
import pytest
from datetime import date
from services.membership.clusters.commands import found_cluster
from services.membership.importing import import_members
from services.membership.spreadsheets import Limits
import stdnum.mx.rfc as rfc


def make(n):
    out = [
        "razón social,nombre comercial,RFC,tipo,posición,categoría,estado,ciudad,fecha de ingreso,representante,correo,idioma"
    ]
    for i in range(n):
        a = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        c = a[i // 26 // 26 % 26] + a[i // 26 % 26] + a[i % 26]
        base = f"{c}{10 + i % 15:02d}{1 + i % 12:02d}{1 + i % 28:02d}{a[i // 17576 % 26]}{a[i // 3 % 26]}"
        out.append(
            f'"Inyectora Cerro {i} del Nazas, S.A. de C.V.",Inyectora Cerro {i},{base}{rfc.calc_check_digit(base)},empresa,Tier {1 + i % 3},asociado,Jalisco,Zapopan,{1 + i % 28:02d}/03/20{10 + i % 15},Ana Ruiz {i},ana{i}@cerro{i}.example,es'
        )
    return "\n".join(out).encode()


import asyncpg.connection, collections, gc

T = collections.Counter()


def wrap(cls, name):
    f = getattr(cls, name)

    async def g(self, q, *a, **k):
        t0 = time.perf_counter()
        try:
            return await f(self, q, *a, **k)
        finally:
            T[name + " " + " ".join(str(q).split())[:60]] += time.perf_counter() - t0

    setattr(cls, name, g)


async def test_perf(databases):
    for n_ in ("execute", "fetch", "copy_records_to_table"):
        wrap(asyncpg.connection.Connection, n_)
    if os.environ.get("NOGC"):
        gc.disable()
    db = databases["membership"]
    n = int(os.environ.get("PERF_N", "20000"))
    async with db.unit(actor="t", cause="t") as u:
        await found_cluster(
            u, name="X", slug=f"x{time.time_ns()}", country="MX", state="JAL", zone="America/Mexico_City"
        )
        slug = await u.connection.fetchval("select slug from cluster order by id desc limit 1")
    c = make(n)
    for what in ("new", "again"):
        async with db.connection() as cc:
            pid = await cc.fetchval("select pg_backend_pid()")
        cpu = lambda: sum(map(int, open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:13])) / 100
        c0 = cpu()
        p0 = time.process_time()
        t = time.time()
        pr = cProfile.Profile()
        if os.environ.get("PROF"):
            pr.enable()
        r = await import_members(db, c, cluster=slug)
        pr.disable()
        d = time.time() - t
        print("python cpu", round(time.process_time() - p0, 2), "pg cpu", cpu() - c0)
        print(
            what, r.counts, round(d, 2), "s", round(n / d), "rows/s", [x for x in r.rows if x.outcome == "refused"][:3]
        )
        for k, v in T.most_common(14):
            print("   ", round(v, 2), k)
        T.clear()
        if os.environ.get("PROF"):
            pstats.Stats(pr).sort_stats("tottime").print_stats(25)
