"""Use cases of identity: sign-in, sessions, staff, API keys, pairing, lock-out. Endpoints and the command line call them."""
