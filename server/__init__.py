"""Now Serving: a real-time queue server for clinics."""

__version__ = "0.1.0"
