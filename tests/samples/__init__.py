"""Published definitions, run to their ends with stand-ins for all they call."""
