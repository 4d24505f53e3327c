"""Use cases of access: accounts and roles, signing in, keys, what is prepared by one and released by another."""
