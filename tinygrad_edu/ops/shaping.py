"""Moving elements without changing them: shapes, orders of axes, joining, splitting, padding."""
