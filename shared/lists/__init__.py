"""The API's lists: query, cursor and statement."""
