/** What may be done to one thing; the node says which of these it knows. */

const CONVERSATIONS = 'conversations/';

/** The id of the conversation whose actor has this name, else null. */
export function conversationOf(name) {
  return name.startsWith(CONVERSATIONS) ? name.slice(CONVERSATIONS.length) : null;
}

/** @returns {Array<{action: string, target: string, label: string}>} */
export function actorOffers(name) {
  const offers = [{ action: 'restart', target: name, label: `Restart ${name}` }];
  const conversation = conversationOf(name);
  if (conversation !== null) offers.push({ action: 'passivate', target: conversation, label: `Passivate ${name}` });
  return offers;
}

export function socketOffers(id) {
  return [{ action: 'disconnect', target: id, label: `Disconnect ${id}` }];
}
