"""The support file: what somebody who helps from afar has to see, and no secrets."""
