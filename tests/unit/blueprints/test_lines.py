"""The line of each value in a TOML text."""

from __future__ import annotations

from server.blueprints.lines import lines_of

TEXT = '''\
# [[queues]] in a comment
organisation = "A \\"quoted\\" [name] # no comment"

[clinic]
name = """
[[queues]]
"""   # after two more lines
languages = [
  "ar",  # one, with a comma
  "es",
]

[[queues]]
name = 'Blood'
names = { es = "Sangre", "pt-BR" = "Sangue" }

[[points]]
name = "Room 1"

[[queues]]
name = "X-ray"
names.es = "Rayos"
[queues.more]
key = [[1, 2], [
  3]]
'''


def test_each_value_has_its_line() -> None:
    assert lines_of(TEXT) == {
        ("organisation",): 2,
        ("clinic",): 4,
        ("clinic", "name"): 5,
        ("clinic", "languages"): 8,
        ("clinic", "languages", 0): 9,
        ("clinic", "languages", 1): 10,
        ("queues",): 13,
        ("queues", 0): 13,
        ("queues", 0, "name"): 14,
        ("queues", 0, "names"): 15,
        ("queues", 0, "names", "es"): 15,
        ("queues", 0, "names", "pt-BR"): 15,
        ("points",): 17,
        ("points", 0): 17,
        ("points", 0, "name"): 18,
        ("queues", 1): 20,
        ("queues", 1, "name"): 21,
        ("queues", 1, "names"): 22,
        ("queues", 1, "names", "es"): 22,
        ("queues", 1, "more"): 23,
        ("queues", 1, "more", "key"): 24,
        ("queues", 1, "more", "key", 0): 24,
        ("queues", 1, "more", "key", 0, 0): 24,
        ("queues", 1, "more", "key", 0, 1): 24,
        ("queues", 1, "more", "key", 1): 24,
        ("queues", 1, "more", "key", 1, 0): 25,
    }
