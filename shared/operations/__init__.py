"""The operations that can be priced, called and batched.

Importing a module of this package registers its operations in `catalog.CATALOG`. The catalog, which error
messages and OpenAPI show, keeps the order of these imports.
"""

from shared.operations import arithmetic, random_string

__all__ = ["arithmetic", "random_string"]
