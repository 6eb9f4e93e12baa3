"""The operations that can be priced, called and batched."""
