"""Who tells the outside: events become deliveries, deliveries become attempts."""
