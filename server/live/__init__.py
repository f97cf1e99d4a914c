"""The live stream: a bus between processes, one feed per site, and a stream per screen. It knows neither HTTP nor SQL."""
