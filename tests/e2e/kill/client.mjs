/**
 * A chat client as an app has it, under load: sends without pause, bears a clientMessageId on each message, connects again by
 * itself, resumes from the last rev or seq it has seen, and sends again what has no receipt. It records everything raw, without
 * removing a repeat or sorting, so that the record proves what the server did.
 */
import { Client } from '@stomp/stompjs';
import { WebSocket } from 'ws';

const RECONNECT_MS = 30;

export class LoadedClient {
  /**
   * @param {object} options
   * @param {string} options.name
   * @param {string} options.token
   * @param {string} options.conversationId
   * @param {number} options.rev the conversation's, before the first message
   * @param {() => string} options.wsUrl asked at every attempt, since a restarted server may have another port, and a
   *   balancer in front of several would give another server
   * @param {number} options.window messages under way at once
   * @param {'last-rev' | 'last-seq'} options.resumeBy
   */
  constructor({ name, token, conversationId, rev, wsUrl, window, resumeBy }) {
    Object.assign(this, { name, conversationId, window, resumeBy });
    this.position = { 'last-rev': rev, 'last-seq': 0 };
    this.closes = []; // {url, code} of each WebSocket that had been open
    this.refusals = []; // codes of SENDs that the server could not serve
    this.created = 0;
    this.unacknowledged = new Map(); // clientMessageId → number of the connection it was first sent on
    this.receipts = new Map(); // clientMessageId → {id, seq, repeatedAfter}
    this.received = []; // bodies of message.created, as they came
    this.complaints = []; // whatever must not happen
    this.connection = 0;
    this.closedAt = 0;
    this.acknowledgedHere = 0; // receipts on this connection
    this.isSending = true;
    this.onProgress = () => {};
    this.client = new Client({
      webSocketFactory: () => this.#open(wsUrl()),
      connectHeaders: { Authorization: `Bearer ${token}` },
      reconnectDelay: RECONNECT_MS,
      onConnect: () => this.#connected(),
      onStompError: ({ headers, body }) => this.complaints.push(`ERROR ${headers.message} ${body}`),
      onWebSocketClose: () => {
        this.closedAt = Date.now();
        this.acknowledgedHere = 0;
      },
    });
  }

  /** For a report of what went wrong. */
  get state() {
    const { name, connection, created, acknowledgedHere, complaints } = this;
    return {
      name,
      connection,
      isConnected: this.client.connected,
      created,
      acknowledgedHere,
      acknowledged: this.receipts.size,
      closes: this.closes,
      refusals: this.refusals,
      unacknowledged: [...this.unacknowledged.keys()],
      received: this.received.length,
      complaints,
    };
  }

  #open(url) {
    const socket = new WebSocket(url, ['v12.stomp']);
    socket.once('open', () => socket.once('close', (code) => this.closes.push({ url, code })));
    return socket;
  }

  #connected() {
    this.connection += 1;
    this.client.subscribe('/user/queue/errors', ({ body }) => this.#refused(JSON.parse(body)));
    const topic = `/topic/conversation.${this.conversationId}`;
    this.client.subscribe(topic, (frame) => this.#message(frame), { [this.resumeBy]: String(this.position[this.resumeBy]) });
    for (const clientMessageId of this.unacknowledged.keys()) this.#send(clientMessageId);
    this.#fill();
  }

  /** The server says that it could not: nothing is known of the outcome, so the same again. */
  #refused({ errorCode, receipt }) {
    this.refusals.push(errorCode);
    if (errorCode === 'UNAVAILABLE' || errorCode === 'OVERLOADED') this.#send(receipt);
    else this.complaints.push(`refused ${receipt}: ${errorCode}`);
  }

  #fill() {
    while (this.isSending && this.unacknowledged.size < this.window) {
      this.created += 1;
      const clientMessageId = `${this.name}-${this.created}`;
      this.unacknowledged.set(clientMessageId, this.connection);
      this.#send(clientMessageId);
    }
  }

  #send(clientMessageId) {
    if (!this.client.connected) return;
    this.client.watchForReceipt(clientMessageId, ({ headers }) => this.#receipt(clientMessageId, headers));
    this.client.publish({
      destination: '/app/message.send',
      headers: { receipt: clientMessageId },
      body: JSON.stringify({ conversationId: this.conversationId, text: `text of ${clientMessageId}`, clientMessageId }),
    });
  }

  #receipt(clientMessageId, headers) {
    const repeatedAfter = this.unacknowledged.get(clientMessageId) < this.connection ? this.closedAt : null;
    this.unacknowledged.delete(clientMessageId);
    this.receipts.set(clientMessageId, { id: headers['message-id'], seq: Number(headers.seq), repeatedAfter });
    this.acknowledgedHere += 1;
    this.#fill();
    this.onProgress();
  }

  #message({ headers, body }) {
    const message = JSON.parse(body);
    this.position = { 'last-rev': Number(headers.rev), 'last-seq': message.seq };
    if (headers.event !== 'message.created') this.complaints.push(`event ${headers.event}`);
    if (headers['history-truncated']) this.complaints.push('history-truncated');
    this.received.push(message);
    this.onProgress();
  }
}
