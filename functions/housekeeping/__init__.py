"""What is called by a schedule: functions without an `Api`."""

import gc

gc.enable()
