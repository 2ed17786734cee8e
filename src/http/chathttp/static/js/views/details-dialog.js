/** The dialog about a conversation: its members and their roles, its name, and what the user wants to hear of it. */
import { conversationTitle, others } from '../chat/selectors.js';
import { ApiError } from '../net/api.js';
import { confirmDialog, element, instantiate, reconcile, setText, showAvatar, toast } from './dom.js';

const MUTE_MS = 8 * 60 * 60 * 1000;
const SEARCH_DELAY_MS = 250;
const ROLES = { owner: 'Owner', admin: 'Admin', member: 'Member' };

/** @param {{client: import('../chat/chat-client.js').ChatClient, conversationId: string}} options */
export function openDetails({ client, conversationId }) {
  const { element: dialog, refs } = instantiate('details-dialog');
  const { api } = client;
  let blocked = new Set();
  let timer = null;
  let asked = 0; // the search for people whose answer counts

  const conversation = () => client.store.getState().conversations[conversationId];
  const roleOf = (userId) => conversation().participants.find((each) => each.userId === userId)?.role ?? 'member';
  const administers = () => conversation().type === 'GROUP' && roleOf(client.me.id) !== 'member';
  const mayRemove = (role) => administers() && (roleOf(client.me.id) === 'owner' ? role !== 'owner' : role === 'member');

  /** Carry out what was asked for, and show what came of it. */
  async function act(doing, done = '') {
    setText(refs.error, '');
    try {
      await doing();
      setText(refs.note, done);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText(refs.error, error.message);
    }
    await client.refresh(conversationId);
  }

  function createMember({ participant: { userId, name } }) {
    const item = element('li', { className: 'member' });
    const face = element('span');
    face.setAttribute('aria-hidden', 'true');
    showAvatar(face, { id: userId, name });
    const title = element('span', { className: 'member-name', text: userId === client.me.id ? `${name} (you)` : name });
    const role = element('select', { ariaLabel: `Role of ${name}` });
    role.append(...Object.entries(ROLES).map(([value, text]) => element('option', { value, text })));
    const label = element('span', { className: 'hint' });
    const remove = element('button', { className: 'link danger', type: 'button', text: 'Remove', ariaLabel: `Remove ${name}` });
    item.append(face, title, role, label, remove);
    role.addEventListener('change', async () => {
      const wanted = role.value; // which a rendering puts back
      const question = `Make ${name} the owner? You will be an admin.`;
      if (wanted !== 'owner' || (await confirmDialog(question, 'Hand on'))) {
        await act(() => api.changeRole(conversationId, userId, wanted));
      }
      render();
    });
    remove.addEventListener('click', async () => {
      if (await confirmDialog(`Remove ${name} from the group?`, 'Remove')) await act(() => api.removeMember(conversationId, userId));
    });
    return {
      element: item,
      update({ participant }) {
        const isMe = userId === client.me.id;
        role.hidden = conversation().type !== 'GROUP' || isMe || roleOf(client.me.id) !== 'owner';
        role.value = participant.role;
        label.hidden = !role.hidden || conversation().type !== 'GROUP';
        setText(label, ROLES[participant.role]);
        remove.hidden = isMe || !mayRemove(participant.role);
      },
    };
  }

  function render() {
    const known = conversation();
    if (!known) {
      dialog.close(); // left, removed or deleted
      return;
    }
    const isGroup = known.type === 'GROUP';
    setText(refs.title, conversationTitle(known, client.me.id));
    reconcile(
      refs.members,
      known.participants.map((participant) => ({ key: participant.userId, participant })),
      { create: createMember },
    );
    refs.rename.hidden = !administers();
    refs.addField.hidden = !administers();
    refs.leave.hidden = !isGroup;
    refs.remove.hidden = !isGroup || roleOf(client.me.id) !== 'owner';
    refs.block.hidden = isGroup || others(known, client.me.id).length === 0;
    const isBlocked = others(known, client.me.id).some(({ userId }) => blocked.has(userId));
    setText(refs.block, isBlocked ? 'Unblock' : 'Block');
  }

  async function find() {
    const text = refs.find.value.trim();
    asked += 1;
    const mine = asked;
    const found = text === '' ? [] : await api.searchUsers(text);
    if (mine !== asked || !conversation()) return;
    const members = new Set(conversation().participants.map(({ userId }) => userId));
    refs.found.replaceChildren(...found.filter(({ id }) => !members.has(id)).map(addButton));
  }

  function addButton({ id, name }) {
    const button = element('button', { className: 'result', type: 'button', text: `Add ${name}` });
    button.addEventListener('click', async () => {
      await act(() => api.addMembers(conversationId, [id]), `${name} was added.`);
      refs.find.value = '';
      refs.found.replaceChildren();
      refs.find.focus();
    });
    const item = element('li');
    item.append(button);
    return item;
  }

  refs.find.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => void act(find), SEARCH_DELAY_MS);
  });
  refs.rename.addEventListener('submit', (event) => {
    event.preventDefault();
    const name = refs.name.value.trim();
    if (name !== '') void act(() => api.renameConversation(conversationId, name), 'The group was renamed.');
  });
  refs.mute.addEventListener('click', () => {
    const until = new Date(Date.now() + MUTE_MS).toISOString();
    void act(() => api.mute(conversationId, until), 'Muted for 8 hours.');
  });
  refs.unmute.addEventListener('click', () => void act(() => api.mute(conversationId, null), 'No longer muted.'));
  refs.block.addEventListener('click', async () => {
    const [{ userId, name }] = others(conversation(), client.me.id);
    const isBlocked = blocked.has(userId);
    await act(async () => {
      await api.setBlocked(userId, !isBlocked);
      blocked = new Set(await api.blocks());
    }, isBlocked ? `${name} may write to you again.` : `${name} can no longer write to you.`);
    render();
  });
  refs.leave.addEventListener('click', async () => {
    if (!(await confirmDialog('Leave this group?', 'Leave'))) return;
    await act(() => api.removeMember(conversationId, client.me.id));
  });
  refs.remove.addEventListener('click', async () => {
    if (!(await confirmDialog('Delete this group and its messages for everyone?', 'Delete group'))) return;
    await act(() => api.deleteGroup(conversationId));
  });

  const stopListening = client.store.subscribe(render);
  refs.close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => {
    clearTimeout(timer);
    stopListening();
    dialog.remove();
  });
  document.body.append(dialog);
  refs.name.value = conversation().name ?? '';
  render();
  dialog.showModal();
  api.blocks().then(
    (userIds) => {
      blocked = new Set(userIds);
      render();
    },
    (error) => {
      if (!(error instanceof ApiError)) throw error;
      toast(error.message);
    },
  );
}
