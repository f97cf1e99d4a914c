"""The records of a site, their ids, the ticket labels, the business day and the opening hours."""
