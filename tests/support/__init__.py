"""Hold what several tests share: real servers, and the list of parts that this machine must have."""
