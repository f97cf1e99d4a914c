"""Now Serving: a real-time queue server for clinics."""

__version__ = "0.1.0"  # the one source: the wheel, the API documents and the command line read it here
