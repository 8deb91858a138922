"""The instrument's own page: a process of its own between browsers and the daemon's door."""
