"""The batch worker: process uploaded CSV files, bill their rows and write their results."""
