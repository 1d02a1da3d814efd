"""Search for rows of a table by one of their inputs."""
