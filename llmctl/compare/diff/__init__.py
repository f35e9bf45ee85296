"""Two sides, paired case by case: `compare_sides` makes the report that every renderer reads."""
