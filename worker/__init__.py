"""The batch worker: bill the rows of uploaded CSV files, write their results, and write exports."""
