"""Who sends a request and what they may do: credentials, rate limits, known browsers, the audit of access."""
