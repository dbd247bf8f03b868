"""From a foreign application to the catalog: what each key becomes, and a row about each."""
