"""Cards: what an instrument of measurement does, measured before it measures others."""
