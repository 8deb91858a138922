"""To the broker: topics, client, commands."""
