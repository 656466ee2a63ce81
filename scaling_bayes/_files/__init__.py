"""Files written whole, sealed, and found."""
