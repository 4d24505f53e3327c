import uuid_utils.compat as u
from datetime import date
from services.membership.clusters.commands import found_cluster
async def test_x(unit_for):
    unit=await unit_for("membership"); c=unit.connection
    cl=await found_cluster(unit,name="X",slug="zzz",country="MX",state="JAL",zone="UTC")
    n=20000
    ids=[u.uuid7() for _ in range(n)]
    async def ex(sql,*a):
        rows=await c.fetch("EXPLAIN (ANALYZE, TIMING OFF) "+sql,*a)
        print("\n".join(r[0] for r in rows if "Trigger" in r[0] or "Execution" in r[0]), "|", sql[:70]); 
    await ex("INSERT INTO organization SELECT i,'s'||i,'l'||i,'t'||i,'n'||i,'k'||i,'company','MX','JAL','c','T'||i,1 FROM unnest($1::uuid[]) r(i)",ids)
    await ex("INSERT INTO organization_position SELECT i,'tier1',daterange('2020-01-01',null) FROM unnest($1::uuid[]) r(i)",ids)
    await ex("INSERT INTO membership SELECT i,i,$2,'associate','active',null,null,'2020-01-01',null,1 FROM unnest($1::uuid[]) r(i)",ids,cl.id)
    await ex("INSERT INTO membership_band SELECT i,daterange('2020-01-01',null),'associate' FROM unnest($1::uuid[]) r(i)",ids)
    await ex("INSERT INTO person SELECT i,i,'name','m'||i,'m'||i,'es',1 FROM unnest($1::uuid[]) r(i)",ids)
    await c.execute("CREATE TABLE IF NOT EXISTS zz(a int)") if False else None
    await ex("INSERT INTO outbox (id, aggregatetype, aggregateid, version, type, dataschema, source, subject, time, effective, actor, cause, payload) SELECT i,'membership.membership',i::text,1,'org.cumulo.membership.MembershipActivated.v1','urn:cumulo:contract:membership.MembershipActivated.v1','/membership','membership/'||i,now(),'2020-01-01','cli','import:abc',jsonb_build_object('membership_id',i,'organization_id',i,'cluster_id',i,'category','associate','origin','import','announce',true) FROM unnest($1::uuid[]) r(i)",ids)
    await ex("INSERT INTO outbox (id, aggregatetype, aggregateid, version, type, dataschema, source, subject, time, effective, actor, cause, payload) SELECT gen_random_uuid(),'membership.membership.state',i::text,1,'org.cumulo.membership.MembershipActivated.v1','urn:cumulo:contract:membership.MembershipActivated.v1','/membership','membership/'||i,now(),'2020-01-01','cli','import:abc',jsonb_build_object('membership_id',i,'organization_id',i,'cluster_id',i,'category','associate','origin','import','announce',true) FROM unnest($1::uuid[]) r(i)",ids)
