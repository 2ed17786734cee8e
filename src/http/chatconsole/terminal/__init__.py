"""The console's front in the terminal: `stackmentor console`.

A process of its own, on asyncio, since Textual stands on it: nothing here may be imported by what a node runs.
"""
