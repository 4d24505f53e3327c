"""What an organisation can do, as pages: the tab with its completeness, the form of its codes, certificates, sites."""

from fastapi import APIRouter

from services.membership.profiles.pages import capabilities, certificates, sites

router = APIRouter()
for part in (capabilities, certificates, sites):
    router.include_router(part.router)
