"""The keys, and what the help says of them."""

from typing import Final

HELP: Final = """\
Views      1 tree      supervisors; tasks, nurseries, cancel scopes
           2 top       actors by mailbox, age, rate, handler time
           3 rooms     conversations in use
           4 actor     everything about the one that was opened
           5 sockets   outbox, heart-beat, slow readers
           6 stores    database and bridge
           7 trace     messages on their way, hop by hop
           8 warnings  what is wrong
           9 dead      who ended, and why
           Tab, Shift+Tab   the next view, the one before

Rows       arrows, PageUp, PageDown, Home, End, or k j g G
           Left, Right   fold, unfold
           Enter         open: stack, part of the tree, all about it
           o             go to the actor or socket it is about

Looking    /       search; Escape ends it
           s  S    sort by the next column; the other way
           z  Z    only what is below this task; all again
           t       whole stack of a task, or of an actor's task
           Space   pause, go on
           u       users' ids; the node's log tells it

Following  f  x    messages of a conversation, one, or any; stop

Node       n       another node
           a       actions, each confirmed
           p       Python in its loop, where it allows that
           Ctrl+P  command palette
           q       quit

Marks      >  selected    !  warning    x  broken
           >2 s   at least that long, since somebody watches
"""
