"""Announcements as pages: the list, writing in three steps, how one stands and goes out, what its readers see."""

from fastapi import APIRouter

from services.notifications.announcements.pages import composing, listing, reading, sending

router = APIRouter()
for part in (listing, composing, sending, reading):
    router.include_router(part.router)
