"""How the widgets are laid out; legible at 80 by 24, and without colours."""

from typing import Final

CSS: Final = """
Screen { layers: base over; }
#headline { height: 1; text-style: bold; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
#tabs { height: 1; text-wrap: nowrap; }
#banner { height: auto; max-height: 9; padding: 0 1; display: none; text-style: bold; }
#banner { background: $warning; color: black; }
#banner.blocked { background: red; color: white; }
#rows { height: 1fr; }
#search { height: 1; border: none; padding: 0 1; }
#search:focus { border: none; }
#preview { height: auto; max-height: 3; padding: 0 1; border-top: solid $primary; }
#status { height: 1; padding: 0 1; color: $text-muted; }
ModalScreen { align: center middle; background: $background 60%; }
.window { width: 96%; height: 94%; background: $surface; border: solid $primary; padding: 0 1; }
.window.small { width: 76; max-width: 96%; height: auto; max-height: 90%; }
.window .title { height: auto; text-style: bold; }
#scroll { height: 1fr; }
#text, #question { height: auto; }
#printed { height: 1fr; }
OptionList { height: auto; max-height: 16; }
Toast { max-width: 76; }
"""
