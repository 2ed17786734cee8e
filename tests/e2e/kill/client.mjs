/**
 * A chat client as an app has it, under load: sends without pause, bears a clientMessageId on each message, connects again by
 * itself, resumes from the last rev it has seen, and sends again what has no receipt. It records everything raw, without
 * removing a repeat or sorting, so that the record proves what the server did.
 */
import { Client } from '@stomp/stompjs';
import { WebSocket } from 'ws';

/** Messages under way at once. */
const WINDOW = 8;
const RECONNECT_MS = 30;

export class LoadedClient {
  /**
   * @param {{name: string, token: string, conversationId: string, rev: number, wsUrl: () => string}} options
   *   `wsUrl` is asked at every connection, since a restarted server may have another port
   */
  constructor({ name, token, conversationId, rev, wsUrl }) {
    Object.assign(this, { name, conversationId, lastRev: rev });
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
      webSocketFactory: () => new WebSocket(wsUrl(), ['v12.stomp']),
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
      unacknowledged: [...this.unacknowledged.keys()],
      received: this.received.length,
      complaints,
    };
  }

  #connected() {
    this.connection += 1;
    this.client.subscribe('/user/queue/errors', ({ body }) => this.#refused(JSON.parse(body)));
    const topic = `/topic/conversation.${this.conversationId}`;
    this.client.subscribe(topic, (frame) => this.#message(frame), { 'last-rev': String(this.lastRev) });
    for (const clientMessageId of this.unacknowledged.keys()) this.#send(clientMessageId);
    this.#fill();
  }

  /** The server says that it could not: nothing is known of the outcome, so the same again. */
  #refused({ errorCode, receipt }) {
    if (errorCode === 'UNAVAILABLE' || errorCode === 'OVERLOADED') this.#send(receipt);
    else this.complaints.push(`refused ${receipt}: ${errorCode}`);
  }

  #fill() {
    while (this.isSending && this.unacknowledged.size < WINDOW) {
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
    this.lastRev = Number(headers.rev);
    if (headers.event !== 'message.created') this.complaints.push(`event ${headers.event}`);
    if (headers['history-truncated']) this.complaints.push('history-truncated');
    this.received.push(message);
    this.onProgress();
  }
}
