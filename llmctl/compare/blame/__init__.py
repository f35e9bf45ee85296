"""Which commit first broke a case: its versions through git history, judged by the answers that are stored."""
