"""The endpoints under `/api/v1`, one module per capability, and the health checks."""
