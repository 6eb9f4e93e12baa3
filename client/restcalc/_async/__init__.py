"""The asynchronous client, from which the synchronous one is generated: `python -m client.make_sync`."""
