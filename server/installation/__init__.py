"""What belongs to one installation on its machine: folders, addresses, secrets, and the certificate."""
