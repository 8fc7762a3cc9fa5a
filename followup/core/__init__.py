"""Ground floor: words, time, ids and values that every floor above may use."""
