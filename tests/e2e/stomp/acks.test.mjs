import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, newGroup, rest, signIn } from './kit.mjs';

async function threeMessages(t, ack) {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const topic = `/topic/conversation.${conversationId}`;
  const [a, b] = await Promise.all([connect(t, alice), connect(t, bob)]);
  const { inbox } = await b.subscribe(topic, { ack });
  for (const text of ['one', 'two', 'three']) await a.say(conversationId, text);
  const frames = [await inbox.take('one'), await inbox.take('two'), await inbox.take('three')];

  async function delivered(seq) {
    for (;;) {
      const { body } = await rest('GET', `/api/conversations/${conversationId}`, { token: alice.token });
      const mark = body.participants.find(({ userId }) => userId === bob.id).lastDeliveredSeq;
      assert.ok(mark <= seq, `the mark is at ${mark}, beyond ${seq}`);
      if (mark === seq) return;
    }
  }

  /** Bob's next connection: what comes again without saying from where. */
  async function again() {
    await b.close();
    const next = await connect(t, bob);
    const { inbox: later } = await next.subscribe(topic, { ack });
    await a.say(conversationId, 'four');
    const texts = [];
    while (texts.at(-1) !== 'four') texts.push((await later.take('message')).json.text);
    return texts;
  }

  return { frames, delivered, again };
}

/** ACK with a receipt, so that the test knows when it was heard. */
function acknowledge(frame) {
  assert.ok(frame.headers.ack, 'no ack header');
  frame.ack();
}

test('client mode: an ACK counts for all before it, and what was not acknowledged comes again', { timeout: 30_000 }, async (t) => {
  const { frames, delivered, again } = await threeMessages(t, 'client');
  acknowledge(frames[1]);
  await delivered(2);
  assert.deepEqual(await again(), ['three', 'four']);
});

test('client-individual mode: the mark stops below the first open message', { timeout: 30_000 }, async (t) => {
  const { frames, delivered, again } = await threeMessages(t, 'client-individual');
  acknowledge(frames[2]);
  acknowledge(frames[0]);
  await delivered(1);
  assert.deepEqual(await again(), ['two', 'three', 'four']);
});

test('NACK moves nothing and redelivers nothing', { timeout: 30_000 }, async (t) => {
  const { frames, delivered, again } = await threeMessages(t, 'client');
  frames[0].nack();
  acknowledge(frames[0]);
  await delivered(1);
  assert.deepEqual(await again(), ['two', 'three', 'four']);
});

test('a transaction holds SENDs back until COMMIT, and ABORT drops them', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const [a, b] = await Promise.all([connect(t, alice), connect(t, bob)]);
  const { inbox } = await b.subscribe(`/topic/conversation.${conversationId}`);
  const aborted = a.client.begin();
  const body = (text) => JSON.stringify({ conversationId, text });
  a.client.publish({ destination: '/app/message.send', body: body('dropped'), headers: { transaction: aborted.id } });
  aborted.abort();
  const kept = a.client.begin();
  a.client.publish({ destination: '/app/message.send', body: body('first'), headers: { transaction: kept.id } });
  a.client.publish({ destination: '/app/message.send', body: body('second'), headers: { transaction: kept.id } });
  await a.say(conversationId, 'outside');
  kept.commit();
  const texts = [];
  while (texts.length < 3) texts.push((await inbox.take('message')).json.text);
  assert.deepEqual(texts, ['outside', 'first', 'second']);
});
