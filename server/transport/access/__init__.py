"""The edge of identity: credentials and addresses of a connection, cookies of browsers, rate limits."""
