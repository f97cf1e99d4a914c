"""Now Serving: a real-time queue server for clinics."""

import zoneinfo

__version__ = "0.1.0"  # the one source: the wheel, the API documents and the command line read it here

# The package `tzdata` is the only source of zone data, in every process. The data of the system may be years old, and
# processes with different data would disagree about the instants of appointments.
zoneinfo.reset_tzpath(to=())
zoneinfo.ZoneInfo.clear_cache()
