"""What people say of calls, and what they make of the answers: given, imported, read off edits, and counted."""
