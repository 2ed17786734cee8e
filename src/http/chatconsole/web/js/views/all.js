/** The views, in the order of their keys. */

import { ActorView } from './actor.js';
import { BackendsView } from './backends.js';
import { ConversationsView } from './conversations.js';
import { EndedView } from './ended.js';
import { LoopView } from './loop.js';
import { RunView } from './run.js';
import { SocketsView } from './sockets.js';
import { TopView } from './top.js';
import { TraceView } from './trace.js';
import { TreeView } from './tree.js';
import { WarningsView } from './warnings.js';

/**
 * `make` gives a view: its `element`, `tools` beside its title, `wanted()` the view of the node that it draws by `show`, `base` for
 * the event loop and the warnings, which are always watched, `filter(text)`, `enter(argument)` and `leave()`,
 * `main`, what gets the focus, `offers()`, the actions on what is active, and `key(event)`. All but `element` may be missing.
 */
export const VIEWS = [
  { id: 'tree', key: '1', title: 'Tree', make: (context) => new TreeView(context) },
  { id: 'top', key: '2', title: 'Top', make: (context) => new TopView(context) },
  { id: 'conversations', key: '3', title: 'Conversations', make: (context) => new ConversationsView(context) },
  { id: 'actor', key: '4', title: 'Actor', make: (context) => new ActorView(context) },
  { id: 'sockets', key: '5', title: 'Sockets', make: (context) => new SocketsView(context) },
  { id: 'backends', key: '6', title: 'Store and bridge', make: () => new BackendsView() },
  { id: 'trace', key: '7', title: 'Trace', make: (context) => new TraceView(context) },
  { id: 'warnings', key: '8', title: 'Warnings', make: (context) => new WarningsView(context) },
  { id: 'ended', key: '9', title: 'Dead', make: (context) => new EndedView(context) },
  { id: 'loop', key: '0', title: 'Loop', make: () => new LoopView() },
  { id: 'run', key: 'p', title: 'Python', make: (context) => new RunView(context) },
];
