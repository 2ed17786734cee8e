// The broadcast of the README of `ws`: every message to every client that is open.
const { WebSocket, WebSocketServer } = require('ws');

const subscribers = new Set();
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]), perMessageDeflate: false });

server.on('connection', (socket, request) => {
  socket.on('error', console.error);
  if (request.url !== '/publish') {
    subscribers.add(socket);
    socket.on('close', () => subscribers.delete(socket));
    return;
  }
  socket.on('message', (data, isBinary) => {
    subscribers.forEach((client) => {
      if (client.readyState === WebSocket.OPEN) {
        client.send(data, { binary: isBinary });
      }
    });
  });
});
