"""The read side: each module answers one kind of question in one consistent view of the database."""
