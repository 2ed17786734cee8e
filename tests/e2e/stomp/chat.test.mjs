import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, newGroup, rest, signIn } from './kit.mjs';

test('two clients both receive the same messages, numbered 1, 2, 3, …', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const topic = `/topic/conversation.${conversationId}`;
  const [a, b] = await Promise.all([connect(t, alice), connect(t, bob)]);
  const [forAlice, forBob] = await Promise.all([a.subscribe(topic), b.subscribe(topic)]);

  const texts = ['Hello Bob', 'Ünïcödé: 漢字 🙂🙂 \\ : end', '"quoted" <b>&amp;</b>\r\nsecond line', 'Hello Alice', 'x'.repeat(10_000)];
  const senders = [a, a, a, b, b];
  const receipts = [];
  for (const [index, text] of texts.entries()) receipts.push(await senders[index].say(conversationId, text));

  const received = [];
  for (const [index, receipt] of receipts.entries()) {
    const frames = [await forAlice.inbox.take('message'), await forBob.inbox.take('message')];
    assert.equal(frames[0].body, frames[1].body);
    for (const { headers, json } of frames) {
      assert.equal(json.seq, index + 1);
      assert.equal(json.text, texts[index]);
      assert.equal(json.senderId, senders[index] === a ? alice.id : bob.id);
      assert.equal(json.id, receipt['message-id']);
      assert.equal(receipt.seq, String(index + 1));
      assert.equal(headers.seq, String(index + 1));
      assert.equal(headers.rev, String(json.rev));
      assert.equal(headers.event, 'message.created');
      assert.equal(headers['message-id'], json.id);
      assert.equal(headers['content-type'], 'application/json');
      assert.equal(headers.destination, topic);
    }
    received.push(frames[0].json);
  }

  const { body: page } = await rest('GET', `/api/messages?conversationId=${conversationId}&afterSeq=0`, { token: bob.token });
  const plain = ({ isRead, ...message }) => message; // isRead is the caller's own
  assert.deepEqual(page.content.map(plain), received.map(plain));
  assert.deepEqual([a.strays, b.strays, forAlice.inbox.rest, forBob.inbox.rest], [[], [], [], []]);
});

test('a message that REST sent arrives like any other', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const b = await connect(t, bob);
  const { inbox } = await b.subscribe(`/topic/conversation.${conversationId}`);
  const { status, body } = await rest('POST', '/api/messages', { token: alice.token, body: { conversationId, text: 'by REST' } });
  assert.equal(status, 201);
  const { json } = await inbox.take('message');
  assert.deepEqual({ ...json, isRead: true }, { ...body, isRead: true });
});

test('the same clientMessageId again gives the first message back and sends nothing', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const [a, b] = await Promise.all([connect(t, alice), connect(t, bob)]);
  const { inbox } = await b.subscribe(`/topic/conversation.${conversationId}`);
  const first = await a.say(conversationId, 'once', { clientMessageId: 'the same' });
  const repeats = await Promise.all([1, 2, 3].map(() => a.say(conversationId, 'once', { clientMessageId: 'the same' })));
  await a.say(conversationId, 'next');
  for (const repeat of repeats) {
    assert.equal(repeat['message-id'], first['message-id']);
    assert.equal(repeat.seq, '1');
  }
  assert.equal((await inbox.take('first')).json.text, 'once');
  assert.equal((await inbox.take('second')).json.text, 'next');
});

test('messages sent without waiting keep their order', async (t) => {
  const [carol, bob] = await Promise.all([signIn('carol'), signIn('bob')]);
  const conversationId = await newGroup(carol, bob);
  const [c, b] = await Promise.all([connect(t, carol), connect(t, bob)]);
  const { inbox } = await b.subscribe(`/topic/conversation.${conversationId}`);
  const receipts = await Promise.all(Array.from({ length: 20 }, (_, index) => c.say(conversationId, `number ${index}`)));
  assert.deepEqual(receipts.map(({ seq }) => Number(seq)), Array.from({ length: 20 }, (_, index) => index + 1));
  for (let index = 0; index < 20; index += 1) assert.equal((await inbox.take('message')).json.text, `number ${index}`);
});

test('edits and deletions arrive as events of the same message', async (t) => {
  const [alice, bob] = await Promise.all([signIn('alice'), signIn('bob')]);
  const conversationId = await newGroup(alice, bob);
  const [a, b] = await Promise.all([connect(t, alice), connect(t, bob)]);
  const { inbox } = await b.subscribe(`/topic/conversation.${conversationId}`);
  const { 'message-id': id } = await a.say(conversationId, 'first form');
  const created = await inbox.take('message');
  assert.equal((await rest('PATCH', `/api/messages/${id}`, { token: alice.token, body: { text: 'second form' } })).status, 200);
  const updated = await inbox.take('update');
  assert.equal(updated.headers.event, 'message.updated');
  assert.deepEqual([updated.json.id, updated.json.seq, updated.json.text], [id, 1, 'second form']);
  assert.ok(updated.json.editedAt && updated.json.rev > created.json.rev);
  assert.equal((await rest('DELETE', `/api/messages/${id}`, { token: alice.token })).status, 204);
  const deleted = await inbox.take('deletion');
  assert.equal(deleted.headers.event, 'message.deleted');
  assert.deepEqual([deleted.json.id, deleted.json.seq, deleted.json.text], [id, 1, '']);
  assert.ok(deleted.json.deletedAt && deleted.json.rev > updated.json.rev);
});
