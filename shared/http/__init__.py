"""HTTP: the Powertools resolver, responses, forms, problems and cookies."""
