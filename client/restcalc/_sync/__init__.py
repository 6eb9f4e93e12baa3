"""The synchronous client. Generated from `_async` by `python -m client.make_sync`, except `runtime.py`."""
