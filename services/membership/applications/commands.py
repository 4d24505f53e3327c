"""Use cases of applications: ask for documents, hand them in, refuse them, vouch, see that all is there.

Never opens, commits or reads a clock. Each locks the membership, so that a decision and a document follow one another.
"""

from dataclasses import replace
from datetime import date
from uuid import UUID

from services.membership.applications import domain, store, views
from services.membership.applications.domain import (
    Application,
    CannotVouch,
    HandedIn,
    NoSuchApplication,
    NoSuchDocument,
    NotAskedFor,
    Requirements,
)
from services.membership.clusters import store as clusters
from services.membership.clusters.domain import NoSuchCluster
from services.membership.decisions import Decided as Fact
from services.membership.recording import Logged, log_changes
from shared.contracts.membership import (
    ApplicationDocumentReceived,
    ApplicationDocumentRefused,
    MemberVouched,
    VoucherWithdrawn,
)
from shared.messaging.outbox import Record, record
from shared.postgres.pool import Connection, Unit
from shared.postgres.values import day_in
from shared.runtime import files
from shared.runtime.files import Content, File


async def set_requirements(
    unit: Unit, cluster_id: UUID, asked: Requirements, *, since: date | None = None, note: str | None = None
) -> Requirements:
    """What a cluster asks for from a day on. Raises `NoSuchCluster`, `MalformedRequirements`."""
    found = await clusters.load(unit.connection, [cluster_id])
    if not found:
        raise NoSuchCluster("there is no cluster {id}", id=cluster_id, field="cluster_id")
    domain.checked(asked.documents, asked.vouchers)
    on = since or day_in(found[0].zone, unit.now)
    before = await store.requirements(unit.connection, cluster_id, on)
    if before == asked:
        return asked
    await store.set_requirements(unit.connection, cluster_id, asked, on)
    return asked


async def of_membership(connection: Connection, membership_id: UUID, *, lock: bool = False) -> Application:
    """The file of a membership's application. Raises `NoSuchApplication`."""
    head = await views.head(connection, membership_id, lock=lock)
    if head is None:
        raise NoSuchApplication("there is no application {id}", id=membership_id, field="membership_id")
    return Application(
        membership_id, head.organization_id, head.cluster_id, head.standing, head.applied_on, head.resolution,
        await store.documents(connection, membership_id, head.applied_on),
        await store.vouchers(connection, membership_id, head.applied_on), head.version,
    )  # fmt: skip


async def hand_in(unit: Unit, membership_id: UUID, code: str, content: Content) -> Application:
    """A document comes, or comes again. Raises `NoSuchApplication`, `AlreadyDecided`, `NotAskedFor`, `ContentGone`."""
    application = await of_membership(unit.connection, membership_id, lock=True)
    application.require_open()
    await _require_asked(unit, application, code)
    if (before := application.documents.get(code)) is not None:
        await files.remove(unit.connection, [before.file_id])
    file = await files.keep(unit, content, aggregate="application", aggregate_id=membership_id)
    document = HandedIn(code, "present", file.id, None, unit.actor, unit.now)
    fact = ApplicationDocumentReceived(**_names(application), document=code)
    return await _kept(unit, application, fact, document=document)


async def refuse_document(unit: Unit, membership_id: UUID, code: str, reason: str) -> Application:
    """A document does not do, for a reason. Raises `NoSuchApplication`, `AlreadyDecided`, `NoSuchDocument`."""
    application = await of_membership(unit.connection, membership_id, lock=True)
    application.require_open()
    if (before := application.documents.get(code)) is None:
        raise NoSuchDocument("{code} has not come", code=code, field="code")
    document = replace(before, state="refused", reason=reason, by=unit.actor, at=unit.now)
    fact = ApplicationDocumentRefused(**_names(application), document=code)
    return await _kept(unit, application, fact, document=document)


async def document_file(connection: Connection, application: Application, code: str) -> File:
    """The file of a document. Raises `NoSuchDocument`."""
    if (found := application.documents.get(code)) is None:
        raise NoSuchDocument("{code} has not come", code=code, field="code")
    return await files.file_by_id(connection, found.file_id)


async def vouch(unit: Unit, membership_id: UUID, organization_id: UUID) -> Application:
    """A member vouches for the applicant. Raises `NoSuchApplication`, `AlreadyDecided`, `CannotVouch`."""
    application = await of_membership(unit.connection, membership_id, lock=True)
    application.require_open()
    if organization_id == application.organization_id:
        raise CannotVouch("nobody vouches for themselves", field="organization_id")
    if not await views.is_member(unit.connection, organization_id, application.cluster_id):
        raise CannotVouch("only a member in force of the cluster vouches", field="organization_id")
    if organization_id in application.vouchers:
        return application
    fact = MemberVouched(**_names(application), voucher_id=organization_id)
    return await _kept(unit, application, fact, voucher=organization_id)


async def withdraw_voucher(unit: Unit, membership_id: UUID, organization_id: UUID) -> Application:
    """A member vouches no more. Raises `NoSuchApplication`, `AlreadyDecided`, `CannotVouch`."""
    application = await of_membership(unit.connection, membership_id, lock=True)
    application.require_open()
    if not await store.unvouch(unit.connection, membership_id, application.applied_on, organization_id):
        raise CannotVouch("it does not vouch", field="organization_id")
    return await _kept(unit, application, VoucherWithdrawn(**_names(application), voucher_id=organization_id))


async def require_complete(unit: Unit, membership_id: UUID, resolution: str | None) -> None:
    """Before an approval: raises `NotComplete`; keeps the board's resolution. Nothing for who never applied."""
    head = await views.head(unit.connection, membership_id)
    if head is None or head.standing != "applied":
        return
    application = await of_membership(unit.connection, membership_id)
    asked = await store.requirements(unit.connection, application.cluster_id, application.applied_on)
    domain.require_complete(asked, application, resolution)
    if resolution is not None:
        version = await store.version(unit.connection, membership_id)
        await store.save(
            unit.connection, membership_id, application.applied_on, version, resolution=resolution,
            resolved_on=day_in(head.zone, unit.now),
        )  # fmt: skip


async def _require_asked(unit: Unit, application: Application, code: str) -> None:
    asked = await store.requirements(unit.connection, application.cluster_id, application.applied_on)
    if code not in {one.code for one in asked.documents}:
        raise NotAskedFor("the cluster does not ask for {code}", code=code[:40], field="code")


async def _kept(
    unit: Unit, application: Application,
    fact: ApplicationDocumentReceived | ApplicationDocumentRefused | MemberVouched | VoucherWithdrawn, *,
    document: HandedIn | None = None, voucher: UUID | None = None,
) -> Application:  # fmt: skip
    """Saves what was done, records its fact, and gives the file as it is now."""
    id_ = application.membership_id
    version = await store.version(unit.connection, id_) + 1
    await store.save(unit.connection, id_, application.applied_on, version)
    if document is not None:
        await store.save_document(unit.connection, id_, application.applied_on, document)
        await log_changes(unit, [Logged("application", id_, version, document.reason, {
            document.code: (application.state(document.code), document.state)})])  # fmt: skip
    if voucher is not None:
        await store.vouch(unit.connection, id_, application.applied_on, voucher, unit.actor, unit.now)
    head = await views.head(unit.connection, id_)
    assert head is not None
    decided = Fact(fact, day_in(head.zone, unit.now))
    await record(unit, [Record(str(id_), version, decided.fact, decided.effective)])
    return await of_membership(unit.connection, id_)


def _names(application: Application) -> dict[str, UUID]:
    return {
        "membership_id": application.membership_id, "organization_id": application.organization_id,
        "cluster_id": application.cluster_id,
    }  # fmt: skip
