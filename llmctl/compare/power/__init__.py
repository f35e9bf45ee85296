"""How many cases a comparison needs: `measure_power` answers from what this project's own answers differ by."""
