"""Mails: how one is composed, and the way out, for every service that sends some itself."""
