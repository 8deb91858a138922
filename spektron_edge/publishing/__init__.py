"""From a result to the broker: records, what is told of faults, and who else reads them."""
