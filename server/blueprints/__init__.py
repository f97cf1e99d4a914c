"""Files that describe the set-up of a clinic: reading, writing, and the templates of common clinics.

`docs/set-up-files.md` describes the format for people.
"""

from server.blueprints.problems import BadClinicFile, FileProblem
from server.blueprints.reading import ClinicFile, read
from server.blueprints.showing import shown
from server.blueprints.templates import Template, template_named, templates
from server.blueprints.writing import write

__all__ = [
    "BadClinicFile",
    "ClinicFile",
    "FileProblem",
    "Template",
    "read",
    "shown",
    "template_named",
    "templates",
    "write",
]
