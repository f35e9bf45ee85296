"""What CI systems and their readers are given of a gate: Markdown, JUnit, SARIF, code quality, annotations."""
