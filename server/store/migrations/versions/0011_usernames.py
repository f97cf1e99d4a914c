"""User names get their normal form. Sessions remember the refresh tokens that were exchanged lately."""

from collections import defaultdict

import sqlalchemy as sa
from alembic import op

from server.domain.errors import UserNamesCollide
from server.domain.usernames import normal_username

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

STAFF = sa.table("staff", sa.column("id"), sa.column("username"))
LONGEST = 80
REMEDY = (
    "Nothing has changed. Rename all but one of each group, then migrate again: "
    "UPDATE staff SET username = 'another name' WHERE id = ..."
)


def upgrade() -> None:
    connection = op.get_bind()
    before = {row.id: row.username for row in connection.execute(sa.select(STAFF).order_by(STAFF.c.id))}
    _check(before)  # before the first change: on MySQL a change of a table cannot be undone
    op.add_column("sessions", sa.Column("spent", sa.String(1000)))
    op.drop_column("sessions", "rotated_at")
    for staff_id, username in before.items():
        name = normal_username(username)
        if name != username:
            connection.execute(sa.update(STAFF).where(STAFF.c.id == staff_id).values(username=name))


def _check(names: dict[int, str]) -> None:
    """Raise `UserNamesCollide` if two members would get the same name, or one a name that does not fit."""
    alike = defaultdict(list)
    for staff_id, username in names.items():
        alike[normal_username(username)].append(f"{username!r} (id {staff_id})")
    wrong = [who for name, who in alike.items() if len(who) > 1 or not 1 <= len(name) <= LONGEST]
    if wrong:
        raise UserNamesCollide(names="; ".join(" = ".join(each) for each in wrong), remedy=REMEDY)


def downgrade() -> None:
    op.add_column("sessions", sa.Column("rotated_at", sa.BigInteger()))
    op.drop_column("sessions", "spent")
