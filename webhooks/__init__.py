"""The delivery of webhooks: claim and sign deliveries, send them, and record the results.

Three functions, connected by queues: the dispatcher and the recorder use the database, and the sender, which
alone calls the users' URLs, has no access to it.
"""
