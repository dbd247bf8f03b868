"""Stand-ins for the catalog's services, so that a newcomer has something to watch. They are no part of the product."""
