"""One module an endpoint, named by its route's handler in `serverless.yml`."""

import gc

# Nothing that an import makes is garbage, and looking for some is a good part of a cold start.
gc.disable()  # until there is an `Api`
