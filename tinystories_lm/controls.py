"""Characters that a terminal would obey, and text without them."""

HALVES = range(0xD800, 0xE000)  # of characters: no text that can be written has one alone
CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160), *HALVES) if chr(code) not in "\n\t"}


def visible(text: str) -> str:
    """The text without characters that a terminal would obey: what a model or a file says moves no cursor."""
    return text.translate(CONTROLS)
